//! Experiments from draft to conclusion.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use history::timestamp;
use proffer_proto::experiment::v1::{self as proto, ExperimentStatus as Stage};
use tonic::Code;

use super::suite::*;

fn epoch(
    epoch: i32,
    holdout_basis_points: i32,
    since: chrono::DateTime<chrono::Utc>,
) -> proto::SplitEpoch {
    proto::SplitEpoch { epoch, holdout_basis_points, since: Some(timestamp(since)) }
}

/// The warning while decision-svc is away, as in most of these tests.
const UNCHECKED: &str = "flowId refers to decision flow `flow_winback`, which could not be \
                         checked: decision-svc does not answer";

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_call_creates_a_running_experiment() {
    on_both(async |suite| {
        let created = suite.create(seed()).await.unwrap();
        assert_eq!((created.id.as_str(), created.status()), (SEED, Stage::Running));
        assert_eq!(created.salt.len(), 32);
        assert_eq!(created.epochs, [epoch(1, 1_500, start())]);
        let starts_at = start() + TimeDelta::seconds(2);
        assert_eq!(created.starts_at, Some(timestamp(starts_at)));
        assert_eq!(created.planned_end, Some(timestamp(starts_at + TimeDelta::days(90))));
        assert_eq!(
            (created.holdout_percentage, created.duration.as_str()),
            (Some(15.0), "90 days")
        );
        assert_eq!((created.concluded_at, created.shipped, created.revision), (None, None, 1));
        assert_eq!(created.warnings, [UNCHECKED]);
        assert!(!created.etag.is_empty());
        let stored = proto::Experiment { warnings: Vec::new(), ..created };
        assert_eq!(suite.get(SEED).await.unwrap(), stored);
        assert_eq!(suite.get("winback q4 HOLDOUT").await.unwrap(), stored);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn salts_differ_unless_they_are_given() {
    on_both(async |suite| {
        let mut salts = BTreeSet::new();
        for n in 0..20 {
            salts.insert(
                suite.create(on_flow(&format!("n{n}"), &format!("f{n}"))).await.unwrap().salt,
            );
        }
        assert_eq!(salts.len(), 20);
        let given = proto::Experiment { salt: "winback".to_owned(), ..on_flow("given", "g") };
        assert_eq!(suite.create(given).await.unwrap().salt, "winback");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_says_about_output_fields_is_not_heard() {
    on_both(async |suite| {
        let forged = proto::Experiment {
            planned_end: Some(timestamp(day(1))),
            concluded_at: Some(timestamp(day(1))),
            shipped: Some(true),
            epochs: vec![epoch(7, 1, start())],
            revision: 99,
            warnings: vec!["w".to_owned()],
            ..running()
        };
        let created = suite.create(forged.clone()).await.unwrap();
        let is_untouched = |found: &proto::Experiment| {
            found.epochs == [epoch(1, 1_500, start())]
                && found.planned_end == Some(timestamp(day(90)))
                && (found.concluded_at, found.shipped) == (None, None)
                && found.warnings == [UNCHECKED]
        };
        assert!(is_untouched(&created), "{created:?}");
        let paths = ["epochs", "planned_end", "concluded_at", "shipped", "revision", "description"];
        let patch = proto::Experiment { description: "new".to_owned(), ..forged };
        let patched = suite.patch(SEED, patch, &paths).await.unwrap();
        assert!(is_untouched(&patched), "{patched:?}");
        assert_eq!((patched.description.as_str(), patched.revision), ("new", 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_create_is_named() {
    on_both(async |suite| {
        let wrong = proto::Experiment {
            id: "Nope".to_owned(),
            name: " ".to_owned(),
            status: 17,
            flow_id: String::new(),
            holdout_percentage: Some(15.255),
            primary_metric: "revenue".to_owned(),
            duration: "731 days".to_owned(),
            starts_at: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
            salt: "a\nb".to_owned(),
            ..Default::default()
        };
        let status = suite.create(wrong).await.unwrap_err();
        let fields = [
            "experiment.name",
            "experiment.id",
            "experiment.status",
            "experiment.starts_at",
            "experiment.flow_id",
            "experiment.salt",
            "experiment.holdout_percentage",
            "experiment.primary_metric",
            "experiment.duration",
        ];
        assert_eq!(shown(&status), invalid(&fields));
        let concluded = proto::Experiment { status: Stage::Concluded.into(), ..seed() };
        assert_eq!(
            shown(&suite.create(concluded).await.unwrap_err()),
            invalid(&["experiment.status"])
        );
        let nothing = suite.create(proto::Experiment::default()).await.unwrap_err();
        let missing = ["experiment.name", "experiment.flow_id", "experiment.holdout_percentage"];
        assert_eq!(shown(&nothing), invalid(&missing));
        let later = proto::Experiment { primary_metric: "outcome:".to_owned(), ..seed() };
        let status = suite.create(later).await.unwrap_err();
        assert_eq!(shown(&status), invalid(&["experiment.primary_metric"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_an_id_are_taken_once() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let same_name = suite.create(on_flow("WINBACK q4 holdout", "other")).await.unwrap_err();
        assert_eq!(shown(&same_name), refused(Code::AlreadyExists, "ALREADY_EXISTS"));
        let same_id = proto::Experiment { id: SEED.to_owned(), ..on_flow("Other", "other") };
        let status = suite.create(same_id).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::AlreadyExists, "ALREADY_EXISTS"));
        // The refused writes took no flow.
        suite.create(on_flow("Other", "other")).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_experiment_runs_per_flow() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let second = on_flow("Second", "Flow_WINBACK");
        let status = suite.create(second.clone()).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::FailedPrecondition, "WRONG_STATE"));
        assert_eq!(
            status.message(),
            "experiment `exp_winback_q4_holdout` already runs on flow `Flow_WINBACK`; conclude it \
             first, or keep this one as a draft"
        );
        assert_eq!(suite.get("Second").await.unwrap_err().code(), Code::NotFound);

        let draft = proto::Experiment { status: Stage::Draft.into(), ..second };
        let draft = suite.create(draft).await.unwrap();
        let draft = proto::Experiment { warnings: Vec::new(), ..draft };
        assert_eq!(
            (draft.status(), draft.starts_at, draft.planned_end),
            (Stage::Draft, None, None)
        );
        let running = proto::Experiment { status: Stage::Running.into(), ..Default::default() };
        let status = suite.patch(&draft.id, running.clone(), &["status"]).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::FailedPrecondition, "WRONG_STATE"));
        assert_eq!(suite.get(&draft.id).await.unwrap(), draft);

        suite.conclude(SEED, false).await.unwrap();
        suite.clock.set(hour(5));
        let started = suite.patch(&draft.id, running, &["status"]).await.unwrap();
        assert_eq!(
            (started.status(), started.starts_at),
            (Stage::Running, Some(timestamp(hour(5) + TimeDelta::seconds(2))))
        );
        assert_eq!(started.planned_end, Some(timestamp(hour(5 + 90 * 24) + TimeDelta::seconds(2))));
        assert_eq!(started.epochs, [epoch(1, 1_500, hour(5))]);
        let third = suite.create(on_flow("Third", "flow_winback")).await.unwrap_err();
        assert!(third.message().contains("`exp_second`"), "{}", third.message());
    })
    .await;
}

/// On PostgreSQL the callers go to two processes that share nothing but the database.
#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_callers_at_once_one_gets_the_flow() {
    on_both(async |suite| {
        let replica = suite.replica().await;
        let create = async |n: usize| {
            let door = if n.is_multiple_of(2) { &suite } else { &replica };
            let flow = if n.is_multiple_of(3) { "flow_winback" } else { "FLOW_winback" };
            door.create(on_flow(&format!("Number {n}"), flow)).await
        };
        let answers = futures::future::join_all((0..16).map(create)).await;
        let (created, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((created.len(), refused.len()), (1, 15));
        let winner = created.into_iter().next().unwrap().unwrap().id;
        for status in refused.into_iter().filter_map(Result::err) {
            assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
            assert!(status.message().contains(&format!("`{winner}`")), "{}", status.message());
        }
        assert_eq!(listed(&suite).await, [winner]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_starts_at_once_one_gets_the_flow() {
    on_both(async |suite| {
        let replica = suite.replica().await;
        for n in 0..16 {
            let draft =
                proto::Experiment { status: Stage::Draft.into(), ..on_flow(&format!("d{n}"), "f") };
            suite.create(draft).await.unwrap();
        }
        let run = async |n: usize| {
            let door = if n.is_multiple_of(2) { &suite } else { &replica };
            let running = proto::Experiment { status: Stage::Running.into(), ..Default::default() };
            door.patch(&format!("d{n}"), running, &["status"]).await
        };
        let answers = futures::future::join_all((0..16).map(run)).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        let refusals = answers.iter().filter_map(|answer| answer.as_ref().err());
        assert!(
            refusals.clone().all(|status| status.code() == Code::FailedPrecondition),
            "{answers:?}"
        );
        let mut running = Vec::new();
        for n in 0..16 {
            running.push(suite.get(&format!("d{n}")).await.unwrap().status());
        }
        assert_eq!(running.iter().filter(|stage| **stage == Stage::Running).count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_have_flows_of_their_own() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let request =
            proto::CreateExperimentRequest { experiment: Some(seed()), ..Default::default() };
        let request = serve::metadata::request("other", request);
        let created =
            suite.experiments.clone().create_experiment(request).await.unwrap().into_inner();
        assert_eq!(created.experiment.unwrap().id, SEED);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_split_appends_an_epoch() {
    on_both(async |suite| {
        let created = suite.create(seed()).await.unwrap();
        suite.clock.set(day(3));
        let patch = |percentage| proto::Experiment {
            holdout_percentage: Some(percentage),
            ..Default::default()
        };
        let changed = suite.patch(SEED, patch(15.25), &["holdout_percentage"]).await.unwrap();
        assert_eq!(changed.epochs, [epoch(1, 1_500, start()), epoch(2, 1_525, day(3))]);
        assert_eq!((changed.holdout_percentage, &changed.salt), (Some(15.25), &created.salt));
        assert_eq!(
            (changed.starts_at, changed.planned_end),
            (created.starts_at, created.planned_end)
        );
        let status = suite.patch(SEED, patch(15.255), &["holdout_percentage"]).await.unwrap_err();
        assert_eq!(shown(&status), invalid(&["experiment.holdout_percentage"]));
        let none = suite.patch(SEED, patch(0.0), &["holdout_percentage"]).await.unwrap();
        assert_eq!(
            none.warnings,
            ["holdout_percentage 0 holds nobody out: there is nothing to compare with", UNCHECKED]
        );
        assert!(suite.get(SEED).await.unwrap().warnings.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn salt_flow_and_conclusion_are_not_for_patches() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let patch = proto::Experiment {
            salt: "x".to_owned(),
            flow_id: "other".to_owned(),
            status: Stage::Concluded.into(),
            ..Default::default()
        };
        let status = suite.patch(SEED, patch, &["salt", "flow_id", "status"]).await.unwrap_err();
        assert_eq!(
            shown(&status),
            invalid(&["experiment.salt", "experiment.flow_id", "experiment.status"])
        );
        let draft = proto::Experiment { status: Stage::Draft.into(), ..Default::default() };
        let status = suite.patch(SEED, draft, &["status"]).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::FailedPrecondition, "WRONG_STATE"));
        let longer = proto::Experiment { duration: "120 days".to_owned(), ..Default::default() };
        let status = suite.patch(SEED, longer, &["duration"]).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::FailedPrecondition, "WRONG_STATE"));
        let unknown = suite.patch(SEED, seed(), &["colour"]).await.unwrap_err();
        assert_eq!(shown(&unknown), invalid(&["update_mask"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_etag_is_refused() {
    on_both(async |suite| {
        let created = suite.create(seed()).await.unwrap();
        let patch = proto::Experiment {
            description: "a".to_owned(),
            etag: created.etag,
            ..Default::default()
        };
        suite.patch(SEED, patch.clone(), &["description"]).await.unwrap();
        let status = suite.patch(SEED, patch, &["description"]).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::Aborted, "ETAG_MISMATCH"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conclusion_is_final() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        suite.clock.set(day(90));
        let concluded = suite.conclude("Winback Q4 holdout", true).await.unwrap();
        assert_eq!((concluded.status(), concluded.shipped), (Stage::Concluded, Some(true)));
        assert_eq!(concluded.concluded_at, Some(timestamp(day(90))));
        assert_eq!(concluded.epochs.len(), 1);
        for ship in [true, false] {
            let status = suite.conclude(SEED, ship).await.unwrap_err();
            assert_eq!(shown(&status), refused(Code::FailedPrecondition, "WRONG_STATE"));
            assert_eq!(
                status.message(),
                "experiment `exp_winback_q4_holdout` is already concluded"
            );
        }
        let running = proto::Experiment { status: Stage::Running.into(), ..Default::default() };
        let status = suite.patch(SEED, running, &["status"]).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::FailedPrecondition, "WRONG_STATE"));
        let named = proto::Experiment { name: "Done".to_owned(), ..Default::default() };
        assert_eq!(suite.patch(SEED, named, &["name"]).await.unwrap().shipped, Some(true));
        assert_eq!(suite.conclude("nope", true).await.unwrap_err().code(), Code::NotFound);
        let kept = suite.create(on_flow("Next", "flow_winback")).await.unwrap();
        assert_eq!(suite.conclude(&kept.id, false).await.unwrap().shipped, Some(false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_experiment_is_not_deleted() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let status = suite.delete(SEED).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::FailedPrecondition, "WRONG_STATE"));
        assert_eq!(
            status.message(),
            "experiment `exp_winback_q4_holdout` is running; conclude it before you delete it"
        );
        suite.conclude(SEED, false).await.unwrap();
        let stale = proto::DeleteExperimentRequest { id: SEED.to_owned(), etag: "0".to_owned() };
        let status = suite.experiments.clone().delete_experiment(stale).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::Aborted, "ETAG_MISMATCH"));
        suite.delete(SEED).await.unwrap();
        assert_eq!(
            shown(&suite.delete(SEED).await.unwrap_err()),
            refused(Code::NotFound, "NOT_FOUND")
        );
        assert_eq!(
            suite.create(seed()).await.unwrap().id,
            "exp_winback_q4_holdout_2",
            "an id is never used again"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn experiments_are_listed_by_id_in_pages() {
    on_both(async |suite| {
        for name in ["c", "a", "b"] {
            suite.create(on_flow(name, name)).await.unwrap();
        }
        assert_eq!(listed(&suite).await, ["exp_a", "exp_b", "exp_c"]);
        let list = async |page_size: i32, page_token: &str| {
            let request = proto::ListExperimentsRequest {
                page_size,
                page_token: page_token.to_owned(),
                status: 0,
            };
            suite
                .experiments
                .clone()
                .list_experiments(request)
                .await
                .map(tonic::Response::into_inner)
        };
        let first = list(2, "").await.unwrap();
        let second = list(2, &first.next_page_token).await.unwrap();
        assert_eq!((first.experiments.len(), second.experiments.len()), (2, 1));
        assert_eq!(second.next_page_token, "");
        assert_eq!(shown(&list(1_001, "").await.unwrap_err()), invalid(&["page_size"]));
        assert_eq!(shown(&list(1, "?").await.unwrap_err()), invalid(&["page_token"]));
    })
    .await;
}

async fn listed(suite: &Suite) -> Vec<String> {
    let request = proto::ListExperimentsRequest::default();
    let page = suite.experiments.clone().list_experiments(request).await.unwrap().into_inner();
    page.experiments.into_iter().map(|experiment| experiment.id).collect()
}
