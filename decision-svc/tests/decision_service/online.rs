//! The online model of propensity: contacts are learned once each, in order, by one replica, and
//! decisions use and replay by published versions.

use database::Location;
use proffer_proto::decision::v1 as proto;
use serve::{Pace, RetentionSettings};
use sqlx::{Connection as _, PgConnection};
use tonic::Code;

use super::{
    neighbours::Fakes,
    propensity::{about, decide, lapsed_one},
    suite::{NOW_US, Suite, on_both, winback},
};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;
/// After the window of every contact of a campaign.
const CLOSED_US: i64 = NOW_US + 3 * DAY_US + 1_000 * SECOND_US;

/// Gives the winback flow these settings.
async fn set(suite: &Suite, online: proto::OnlinePropensity) -> Result<(), tonic::Status> {
    let mut flow = winback();
    let learning = proto::LearningSettings {
        features: vec!["lifetimePurchases".to_owned()],
        online_propensity: online.into(),
        ..Default::default()
    };
    flow.config.as_mut().unwrap().learning = Some(learning);
    put(suite, flow).await
}

async fn put(suite: &Suite, flow: proto::DecisionFlow) -> Result<(), tonic::Status> {
    let mut known = suite.flows.clone();
    let request = proto::UpdateDecisionFlowRequest {
        id: "flow_winback".to_owned(),
        decision_flow: Some(flow),
        update_mask: Some(prost_types::FieldMask { paths: vec!["config".to_owned()] }),
    };
    known.update_decision_flow(request).await.map(drop)
}

fn at(suite: &Suite, us: i64) {
    suite.clock.set(serve::from_micros(us));
}

/// Contacts a second apart; every third customer answers. Each report comes twice, and the answer
/// of every other one before its contact.
async fn campaign(suite: &Suite, customers: std::ops::Range<i64>) {
    for number in customers {
        at(suite, NOW_US + number * SECOND_US);
        let id = format!("customer_{number:03}");
        lapsed_one(suite, &id);
        let decision = decide(suite, &id).await;
        let mut said = vec!["impression", "impression"];
        if number % 3 == 0 {
            said.insert(usize::try_from(2 * (number % 2)).unwrap(), "click");
        }
        for (place, outcome) in said.into_iter().enumerate() {
            let idempotency_key = format!("{number} {place}");
            let report = proto::OutcomeReport { idempotency_key, ..about(&decision, &id, outcome) };
            suite.respond(report).await.unwrap();
        }
    }
}

async fn learn(suite: &Suite) {
    suite.app.settle().await.unwrap();
    suite.app.learn_online().await.unwrap();
}

fn online(decision: &proto::Decision) -> proto::OnlineEstimate {
    decision.decisions[0].trace.as_ref().unwrap().online.unwrap()
}

async fn is_identical(suite: &Suite, decision: &proto::Decision) -> bool {
    let decision_id = decision.decision_id.clone().unwrap();
    let request = proto::ReplayRequest { decision_id, ..Default::default() };
    suite.decisions.clone().replay(request).await.unwrap().into_inner().identical
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_learned_in_the_shadow_then_used_and_decisions_replay_after_newer_ones() {
    on_both(async |suite| {
        set(&suite, proto::OnlinePropensity::Shadow).await.unwrap();
        campaign(&suite, 0..12).await;
        at(&suite, NOW_US + 3 * DAY_US - SECOND_US);
        learn(&suite).await;
        lapsed_one(&suite, "ann");
        let before = decide(&suite, "ann").await;
        assert_eq!((online(&before).version, online(&before).propensity), (0, None));
        at(&suite, CLOSED_US);
        learn(&suite).await;
        let shadow = decide(&suite, "ann").await;
        let said = online(&shadow);
        assert_eq!((said.version, said.used), (1, false));
        assert_ne!(said.propensity, Some(said.shrinkage));
        let trace = shadow.decisions[0].trace.clone().unwrap();
        assert_eq!(trace.factors.unwrap().propensity, said.shrinkage, "it is only recorded");
        set(&suite, proto::OnlinePropensity::Active).await.unwrap();
        let active = decide(&suite, "ann").await;
        let said = online(&active);
        assert_eq!((said.version, said.used), (1, true));
        let trace = active.decisions[0].trace.clone().unwrap();
        assert_eq!(Some(trace.factors.unwrap().propensity), said.propensity);
        assert!(trace.propensity_source.starts_with("online: version 1 beside shrinkage"));
        // A second version; what the first one decided stays as it was.
        suite.respond(about(&active, "ann", "impression")).await.unwrap();
        at(&suite, CLOSED_US + 4 * DAY_US);
        learn(&suite).await;
        assert_eq!(online(&decide(&suite, "ann").await).version, 2);
        for decision in [&before, &shadow, &active] {
            assert!(is_identical(&suite, decision).await);
        }
    })
    .await;
}

/// What is stored of the winback flow: contacts learned, and the state.
async fn stored(url: &str) -> (i64, Vec<u8>) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let query = "select learned, state from proffer_decision.online_state";
    sqlx::query_as(query).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_and_a_second_replica_learn_the_same_as_one_uninterrupted_run() {
    let mut found = Vec::new();
    for interrupted in [false, true] {
        let (url, fakes) = (testkit::fresh_database_url().await, Fakes::new());
        let location = Location::Url(url.clone());
        let one = Suite::start(&location, fakes.clone()).await;
        set(&one, proto::OnlinePropensity::Shadow).await.unwrap();
        campaign(&one, 0..9).await;
        if interrupted {
            // The first four contacts are due.
            at(&one, NOW_US + 3 * DAY_US + 4 * SECOND_US);
            learn(&one).await;
            assert_eq!(stored(&url).await.0, 4);
            one.stop_relay();
            let two = Suite::start(&location, fakes).await;
            for suite in [&one, &two] {
                at(suite, NOW_US + 3 * DAY_US + 10 * SECOND_US);
                suite.app.settle().await.unwrap();
            }
            learn(&two).await;
            assert_eq!(stored(&url).await.0, 4, "the lease of the first is not over");
            for suite in [&one, &two] {
                at(suite, CLOSED_US);
                suite.app.settle().await.unwrap();
            }
            learn(&two).await;
        } else {
            at(&one, CLOSED_US);
            learn(&one).await;
            learn(&one).await;
        }
        found.push(stored(&url).await);
    }
    assert_eq!(found[0].0, 9);
    assert_eq!(found[0], found[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_report_is_learned_when_it_is_received_and_a_late_response_is_not_positive() {
    on_both(async |suite| {
        set(&suite, proto::OnlinePropensity::Shadow).await.unwrap();
        lapsed_one(&suite, "ann");
        let first = decide(&suite, "ann").await;
        suite.respond(about(&first, "ann", "impression")).await.unwrap();
        let second = decide(&suite, "ann").await;
        at(&suite, NOW_US + 4 * DAY_US);
        // In time for neither: the click answers an impression of four days ago.
        suite.respond(about(&first, "ann", "click")).await.unwrap();
        let seen = prost_types::Timestamp { seconds: NOW_US / SECOND_US, nanos: 0 };
        let late =
            proto::OutcomeReport { occurred_at: Some(seen), ..about(&second, "ann", "impression") };
        suite.respond(late).await.unwrap();
        at(&suite, NOW_US + 4 * DAY_US + SECOND_US);
        learn(&suite).await;
        let card = card(&suite).await;
        assert_eq!((card.contacts, card.positives), (2, 0));
        assert_eq!(card.version, 1);
        assert!(card.log_loss > 0.0 && card.shrinkage_log_loss > 0.0);
        assert_eq!(card.bins.iter().map(|bin| bin.contacts).sum::<i64>(), 2);
    })
    .await;
}

async fn card(suite: &Suite) -> proto::PropensityCard {
    let request = proto::GetPropensityCardRequest { flow: "Winback".to_owned() };
    let answer = suite.reports.clone().get_propensity_card(request).await.unwrap();
    answer.into_inner().card.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_model_needs_the_method_propensity_and_a_rank_that_does_not_explore() {
    on_both(async |suite| {
        use proto::node::Config;
        let with = async |change: fn(&mut Config)| {
            let mut flow = winback();
            let config = flow.config.as_mut().unwrap();
            let active = proto::OnlinePropensity::Active.into();
            config.learning =
                Some(proto::LearningSettings { online_propensity: active, ..Default::default() });
            config.nodes.iter_mut().filter_map(|node| node.config.as_mut()).for_each(change);
            put(&suite, flow).await.unwrap_err()
        };
        let priority = with(|config| {
            if let Config::Score(score) = config {
                score.method = proto::ScoreMethod::Priority.into();
            }
        });
        let explored = with(|config| {
            if let Config::Rank(rank) = config {
                rank.explore = proto::Exploration::Thompson.into();
            }
        });
        for status in [priority.await, explored.await] {
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().contains("online_propensity"), "{}", status.message());
            assert!(status.message().contains("use `shadow`"), "{}", status.message());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_leaves_out_what_is_not_learned_and_keeps_the_newest_snapshot() {
    let (url, fakes) = (testkit::fresh_database_url().await, Fakes::new());
    let suite = Suite::start(&Location::Url(url.clone()), fakes).await;
    set(&suite, proto::OnlinePropensity::Shadow).await.unwrap();
    campaign(&suite, 0..2).await;
    at(&suite, CLOSED_US);
    learn(&suite).await;
    campaign(&suite, 2..3).await;
    at(&suite, CLOSED_US + 31 * DAY_US);
    let limits = vec![serve::retention_limit("decisions=30").unwrap()];
    let app = suite.app.clone().with_retention(RetentionSettings { limits });
    app.count_for_reports().await.unwrap();
    app.delete_old_rows(Pace::Full).await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for (table, expected) in [("online_contact", 0), ("online_snapshot", 1)] {
        let query = format!("select count(*) from proffer_decision.{table}");
        let query = sqlx::AssertSqlSafe(query);
        let (count,): (i64,) = sqlx::query_as(query).fetch_one(&mut connection).await.unwrap();
        assert_eq!(count, expected, "{table}");
    }
}
