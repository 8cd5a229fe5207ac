//! Requests that are wrong: every fault is reported, nothing is written, nothing breaks.

use chrono::TimeDelta;
use proffer_proto::policy::v1 as proto;
use tonic::Code;

use super::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_question_is_told() {
    let world = World::on_sqlite().await;
    world.seed().await;
    let mut question = world.question("");
    question.now = None;
    question.as_of = Some(stamp(noon()));
    question.candidates = vec![candidate("", "a\0"), candidate("x", ""), candidate("x", "")];
    question.pending_outcomes =
        vec![proto::OutcomeFact::default(), impression("bob", 1, "dec_1", noon())];
    let request = proto::ReserveRequest {
        question: Some(question),
        decision_id: String::new(),
        request_id: "r\n".into(),
        limit: 51,
    };
    let status = world.ask(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        faults(&status),
        [
            "decision_id: is required",
            "request_id: must not contain control characters",
            "limit: is 51; it must be 1 to 50",
            "question.customer_id: is required",
            "question.now: is required",
            "question.as_of: is allowed only in Check: a slot is given and a contact committed now",
            "question.candidates[0].offer_id: is required",
            "question.candidates[0].category: must not contain control characters",
            "question.candidates[2].offer_id: is given twice",
            "question.pending_outcomes[0].outcome_id: is required",
            "question.pending_outcomes[0].customer_id: is required",
            "question.pending_outcomes[0].key: is required",
            "question.pending_outcomes[0].customer_seq: is 0; it must be 1 or more",
            "question.pending_outcomes[1].customer_id: is not the customer of the question",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_taken_at_their_limit_and_refused_one_past_it() {
    let world = World::on_sqlite().await;
    world.seed().await;
    let candidates = |count: usize| {
        (0..count).map(|n| candidate(&format!("off_{n}"), "Toys")).collect::<Vec<_>>()
    };
    let pending =
        |count: i64| (1..=count).map(|seq| impression("ann", seq, "", noon())).collect::<Vec<_>>();
    let mut question = world.question("ann");
    (question.candidates, question.pending_outcomes) = (candidates(500), pending(100));
    let mut request = reservation(question.clone(), "dec_1");
    request.limit = 50;
    assert_eq!(world.ask(request).await.unwrap().grants.len(), 50);
    (question.candidates, question.pending_outcomes) = (candidates(501), pending(101));
    assert_eq!(
        faults(&world.ask(reservation(question, "dec_2")).await.unwrap_err()),
        [
            "question.candidates: has 501, which exceeds the maximum 500",
            "question.pending_outcomes: has 101, which exceeds the maximum 100",
        ]
    );
    let deliver = async |count| {
        let outcomes = pending(count);
        world.gate().deliver_outcomes(proto::DeliverOutcomesRequest { outcomes }).await.map(drop)
    };
    deliver(500).await.unwrap();
    let status = deliver(501).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "LIMIT_EXCEEDED")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_must_exist_and_be_active() {
    seeded_on_both(async |world| {
        let mut question = world.question("ann");
        question.channel = "fax".into();
        let status = world.ask(reservation(question, "dec_1")).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, "channel `fax` not found"));
        let mut channel = proto::Channel::default();
        channel.set_status(proffer_proto::values::v1::ResourceStatus::Paused);
        let update_mask = Some(prost_types::FieldMask { paths: vec!["status".into()] });
        let request =
            proto::UpdateChannelRequest { id: "email".into(), channel: Some(channel), update_mask };
        world.channels().update_channel(request).await.unwrap();
        let status = world.ask(reservation(world.question("ann"), "dec_1")).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::FailedPrecondition, "WRONG_STATE")
        );
        assert_eq!(status.message(), "channel `email` is paused; only active channels are used");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_about_what_the_decision_holds() {
    seeded_on_both(async |world| {
        world.reserve(world.question("ann"), "dec_1").await;
        let mut question = world.question("ann");
        question.candidates = vec![candidate("off_other", "Apparel")];
        let ask = async |question: proto::ContactQuestion, rank| {
            let (question, decision_id) = (Some(question), "dec_1".into());
            let request = proto::CommitContactRequest { question, decision_id, rank };
            faults(&world.gate().commit_contact(request).await.unwrap_err())
        };
        assert_eq!(
            ask(question.clone(), 1).await,
            ["question.candidates[0].offer_id: is not what the decision reserved at this rank: \
              offer `off_apparel` on channel `email`"]
        );
        question.candidates.clear();
        assert_eq!(
            ask(question.clone(), -1).await,
            ["rank: is -1; it must be 1 or more", "question.candidates: is required: the offer",]
        );
        assert_eq!(world.ledger("ann").await, ["dec_1 reserved"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_outcome_is_named_by_its_place_and_nothing_is_applied() {
    seeded_on_both(async |world| {
        let wrong = proto::OutcomeFact {
            rank: -1,
            decision_id: "d\0".into(),
            ..impression("ann", 2, "", noon())
        };
        let outcomes = vec![impression("ann", 1, "", noon()), wrong];
        let status = world
            .gate()
            .deliver_outcomes(proto::DeliverOutcomesRequest { outcomes })
            .await
            .unwrap_err();
        assert_eq!(
            faults(&status),
            [
                "outcomes[1].decision_id: must not contain control characters",
                "outcomes[1].rank: is -1; it must be 0 or more",
            ]
        );
        assert!(world.ledger("ann").await.is_empty());
    })
    .await;
}

/// Odd bytes in every string: a clean refusal or an answer, never a fault of ours.
#[tokio::test(flavor = "multi_thread")]
async fn odd_input_never_breaks_the_service() {
    seeded_on_both(async |world| {
        let long = "x".repeat(100_000);
        for odd in [
            "",
            " ",
            "\0",
            "\n",
            "'; drop table contact; --",
            "%",
            "💥",
            "\u{202e}",
            "../..",
            long.as_str(),
        ] {
            let mut codes = Vec::new();
            let mut question = world.question(odd);
            (question.channel, question.candidates[0].category) = (odd.into(), odd.into());
            question.customer_fields.insert(odd.into(), text(odd));
            codes.push(world.ask(reservation(question.clone(), odd)).await.err());
            codes.push(
                world
                    .gate()
                    .check(proto::CheckRequest { question: Some(question), limit: 0 })
                    .await
                    .err(),
            );
            let request = proto::GetConsentRequest { customer_id: odd.into(), channel: odd.into() };
            codes.push(world.consents().get_consent(request).await.err());
            let request = proto::ListContactsRequest {
                customer_id: odd.into(),
                page_token: odd.into(),
                page_size: 1,
                ..Default::default()
            };
            codes.push(world.contacts().list_contacts(request).await.err());
            codes.push(
                world
                    .channels()
                    .get_channel(proto::GetChannelRequest { id: odd.into() })
                    .await
                    .err(),
            );
            let outcomes = vec![proto::OutcomeFact {
                key: odd.into(),
                channel: odd.into(),
                ..impression("ann", 1, odd, noon())
            }];
            codes.push(
                world
                    .gate()
                    .deliver_outcomes(proto::DeliverOutcomesRequest { outcomes })
                    .await
                    .err(),
            );
            for status in codes.into_iter().flatten() {
                assert!(
                    matches!(status.code(), Code::InvalidArgument | Code::NotFound),
                    "{odd:.20}: {status:?}"
                );
            }
        }
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "granted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_is_not_known_refuses_unless_a_fallback_stands_in() {
    seeded_on_both(async |world| {
        let ask = async |decision: &str| {
            let mut question = world.question("ann");
            question.customer_fields.insert("timezone".into(), text("Mars/Base"));
            world.reserve(question, decision).await
        };
        let refused = ask("dec_1").await.judgment.unwrap().refusal.unwrap();
        assert_eq!(code(&refused), "timezone_unknown");
        let settings = Some(proto::TenantSettings {
            fallback_timezone: "Europe/Paris".into(),
            ..Default::default()
        });
        let update_mask = Some(prost_types::FieldMask { paths: vec!["fallback_timezone".into()] });
        world
            .settings()
            .update_settings(proto::UpdateSettingsRequest {
                settings,
                update_mask,
                ..Default::default()
            })
            .await
            .unwrap();
        // The change binds the very next question.
        let granted = ask("dec_2").await;
        assert_eq!(told(&granted), "granted");
        assert_eq!(granted.judgment.unwrap().timezone, "Europe/Paris");
        world.pass(TimeDelta::hours(8));
        assert_eq!(told(&ask("dec_3").await), "quiet_hours");
    })
    .await;
}

/// An error travels in headers, of which a peer takes 16 KiB.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_any_size_arrives_over_a_connection() {
    let world = World::on_sqlite().await;
    world.seed().await;
    let listener = serve::Listener::bind("127.0.0.1:0".parse().unwrap(), serve::Limits::default())
        .await
        .unwrap();
    let url = format!("http://{}", listener.address().unwrap());
    let shutdown = serve::Shutdown::new();
    let serving = tokio::spawn(listener.serve(world.app.routes(), shutdown.clone()));
    let remote = serve::Neighbour::remote(&url).unwrap();
    let mut gate =
        proto::contact_gate_service_client::ContactGateServiceClient::new(remote.clone());
    let mut question = world.question("ann");
    question.candidates = (0..500).map(|_| candidate("", "a\0")).collect();
    let status = gate.reserve(reservation(question, "dec_1")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status.message().ends_with("; and 997 more") && faults(&status).len() > 50,
        "{status:?}"
    );
    let mut channels = proto::channel_service_client::ChannelServiceClient::new(remote);
    let status = channels
        .get_channel(proto::GetChannelRequest { id: "x".repeat(100_000) })
        .await
        .unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "NOT_FOUND"));
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}

/// The last gate does not open either.
#[tokio::test(flavor = "multi_thread")]
async fn no_slot_is_held_and_nothing_is_committed_without_a_channel() {
    seeded_on_both(async |world| {
        let question =
            || proto::ContactQuestion { channel: String::new(), ..world.question("ann") };
        let told = ["question.channel: is required: nobody is contacted without a channel"];
        let refused = world.ask(reservation(question(), "dec_1")).await.unwrap_err();
        assert_eq!(
            (refused.code(), faults(&refused)),
            (Code::InvalidArgument, told.map(String::from).to_vec())
        );
        let commit = proto::CommitContactRequest {
            question: Some(question()),
            decision_id: "dec_1".into(),
            rank: 1,
        };
        let refused = world.gate().commit_contact(commit).await.unwrap_err();
        assert_eq!(faults(&refused), told);
        assert!(world.ledger("ann").await.is_empty());
        // A judgment alone contacts nobody.
        let judgment = world.check(question()).await;
        assert_eq!((judgment.refusal, judgment.timezone.as_str()), (None, ""));
        assert!(judgment.verdicts[0].refusal.is_none() && judgment.consent_sources.is_empty());
    })
    .await;
}
