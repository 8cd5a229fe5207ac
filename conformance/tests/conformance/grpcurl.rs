//! The real grpcurl, against what reflection says.

use conformance::{
    door::{grpcurl, run},
    suite::{Shape, Store, Suite},
};

async fn ask(suite: &Suite, before: &[&str], after: &[&str]) -> (Option<i32>, String) {
    let mut command = grpcurl().unwrap();
    command.arg("-plaintext").args(before).arg(suite.address()).args(after);
    let (code, output, errors) = run(command, "").await.unwrap();
    (code, format!("{output}{errors}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_listed_described_and_answered() {
    let suite = Suite::start(Shape::AllInOne, Store::Sqlite).await.unwrap();
    let (code, listed) = ask(&suite, &[], &["list"]).await;
    assert_eq!(code, Some(0), "{listed}");
    let services: Vec<&str> = listed.lines().filter(|line| line.starts_with("proffer.")).collect();
    assert!(services.contains(&"proffer.decision.v1.DecisionService"), "{listed}");
    for internal in ["LookupService", "ContactGateService", "LedgerService", "LogService"] {
        assert!(!listed.contains(internal), "{internal} is internal: {listed}");
    }
    let mut called = 0;
    for service in services {
        let (code, described) = ask(&suite, &[], &["describe", service]).await;
        assert_eq!(code, Some(0), "{described}");
        let (_, methods) = ask(&suite, &[], &["list", service]).await;
        for method in methods.lines() {
            let (service, name) = method.rsplit_once('.').unwrap();
            let (code, answer) = ask(&suite, &["-d", "{}"], &[&format!("{service}/{name}")]).await;
            // Served means answered, or refused for what the empty request lacks: grpcurl ends with
            // 64 + code.
            const INVALID_ARGUMENT: i32 = 64 + 3;
            const NOT_FOUND: i32 = 64 + 5;
            let expected = [0, INVALID_ARGUMENT, NOT_FOUND];
            assert!(
                code.is_some_and(|code| expected.contains(&code)),
                "{method}: {code:?} {answer}"
            );
            called += 1;
        }
    }
    assert!(called >= 45, "{called}");
}

#[tokio::test(flavor = "multi_thread")]
async fn internal_services_are_not_behind_the_door() {
    let suite = Suite::start(Shape::AllInOne, Store::Sqlite).await.unwrap();
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let before = [
        "-import-path",
        protos,
        "-proto",
        "proffer/internal/policy/v1/contact_gate_service.proto",
        "-d",
        "{}",
    ];
    let (code, answer) =
        ask(&suite, &before, &["proffer.internal.policy.v1.ContactGateService/Reserve"]).await;
    assert_eq!(code, Some(64 + 12), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcurl_prints_the_details_of_errors_and_calls_health() {
    for shape in [Shape::AllInOne, Shape::FiveProcesses] {
        let suite = Suite::start(shape, Store::Sqlite).await.unwrap();
        let (_, answer) =
            ask(&suite, &["-d", "{}"], &["proffer.decision.v1.DecisionService/Recommend"]).await;
        let answer = answer.replace(' ', "");
        assert!(answer.contains("\"reason\":\"INVALID_FIELD\""), "{answer}");
        assert!(answer.contains("\"field\":\"customer_id\""), "{answer}");
        assert!(!answer.contains("notrecognized"), "{answer}");
        let (code, answer) = ask(&suite, &[], &["grpc.health.v1.Health/Check"]).await;
        assert_eq!((code, answer.contains("SERVING")), (Some(0), true), "{answer}");
    }
}
