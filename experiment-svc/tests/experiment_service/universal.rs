//! A universal holdout beside the experiments of flows.

use experiment_svc::domain::measure::Metric;
use proffer_proto::experiment::v1::{
    self as proto, Arm, ExperimentStatus as Stage, ledger_entry::Entry,
};
use tonic::Code;

use super::suite::*;

const EVERY: &str = "exp_every";

fn universal() -> proto::Experiment {
    proto::Experiment { flow_id: "*".to_owned(), ..on_flow("Every", "*") }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_universal_holdout_runs_beside_one_experiment_per_flow() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let every = suite.create(universal()).await.unwrap();
        assert_eq!((every.status(), every.flow_id.as_str()), (Stage::Running, "*"));
        assert!(every.references.is_empty() && every.warnings.is_empty(), "{every:?}");
        suite.create(on_flow("Other", "other")).await.unwrap();
        let second = proto::Experiment {
            name: "Second".to_owned(),
            flow_id: " * ".to_owned(),
            ..universal()
        };
        let status = suite.create(second.clone()).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::FailedPrecondition, "WRONG_STATE"));
        assert!(status.message().contains("as the universal holdout"), "{}", status.message());
        suite.conclude(EVERY, true).await.unwrap();
        suite.create(second).await.unwrap();
    })
    .await;
}

fn exposure(experiment: &str, who: &str, emptied_by: &str) -> Entry {
    let Entry::Exposure(entry) = exposed(who, who, hour(2)) else { panic!("no exposure") };
    Entry::Exposure(proto::ExposureEntry {
        experiment_id: experiment.to_owned(),
        emptied_by: emptied_by.to_owned(),
        ..entry
    })
}

fn arm(experiment: &str, who: &str, arm: Arm) -> Entry {
    let Entry::Assignment(entry) = assigned(who, arm, hour(1)) else { panic!("no arm") };
    Entry::Assignment(proto::AssignmentEntry { experiment_id: experiment.to_owned(), ..entry })
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_universal_holdout_emptied_is_left_out_of_both_matched_arms_and_counted() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        suite.create(universal()).await.unwrap();
        // Who, the flow's arm, the universal arm, and who emptied the answer.
        let customers = [
            ("treated", Arm::Treatment, Arm::Treatment, ""),
            ("held_out", Arm::Holdout, Arm::Treatment, SEED),
            ("emptied", Arm::Treatment, Arm::Holdout, EVERY),
            ("both", Arm::Holdout, Arm::Holdout, EVERY),
        ];
        for (who, own, every, emptied_by) in customers {
            let entries = [
                arm(SEED, who, own),
                arm(EVERY, who, every),
                exposure(SEED, who, emptied_by),
                exposure(EVERY, who, emptied_by),
                Entry::Outcome(bought(who, who, 1, hour(3))),
            ];
            suite.deliver(entries).await.unwrap();
        }
        let matched = async |id: &str| {
            let results = suite.results(id, "conversion_rate").await.unwrap();
            let of = |arms: &[proto::ArmResult]| arms.iter().map(|arm| arm.n).collect::<Vec<_>>();
            (of(&results.arms), of(&results.ghost_matched.unwrap().arms))
        };
        assert_eq!(matched(SEED).await, (vec![2, 2], vec![1, 1]));
        assert_eq!(matched(EVERY).await, (vec![2, 2], vec![2, 2]), "the programmes as they run");
        let stored = suite.get(SEED).await.unwrap();
        let plan = experiment_svc::grpc::plan_of(&stored).unwrap();
        let metric = Metric::parse("conversion_rate").unwrap();
        let read = suite.app.store().read("default", &plan, metric).await.unwrap();
        assert_eq!(read.counts.matched_left_out.emptied, 2);
    })
    .await;
}
