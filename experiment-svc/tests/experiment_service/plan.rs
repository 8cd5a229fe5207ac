//! How large an experiment must be.

use proffer_proto::experiment::v1::{self as proto, Arm, ledger_entry::Entry};
use tonic::Status;

use super::suite::*;

async fn plan(
    suite: &Suite,
    request: proto::PlanExperimentRequest,
) -> Result<proto::ExperimentPlan, Status> {
    let answer = suite.experiments.clone().plan_experiment(request).await?;
    Ok(answer.into_inner().plan.unwrap())
}

fn at_85_15() -> proto::PlanExperimentRequest {
    proto::PlanExperimentRequest { holdout_percentage: Some(15.0), ..Default::default() }
}

/// A hundred customers, of whom every tenth bought for 20 and every fifth was exposed.
async fn history(suite: &Suite) {
    for number in 0..100 {
        let who = format!("c{number:02}");
        let mut entries = vec![assigned(&who, Arm::Treatment, hour(1))];
        if number % 10 == 0 {
            entries.push(Entry::Outcome(bought(&who, &who, 20, hour(2))));
        }
        if number % 5 == 0 {
            entries.push(exposed(&who, &who, hour(1)));
        }
        suite.deliver(entries).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_uses_the_outcomes_of_the_last_90_days_and_the_share_that_was_exposed() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        history(&suite).await;
        suite.clock.set(day(80));
        let request = proto::PlanExperimentRequest { expected_customers: 64_000, ..at_85_15() };
        let planned = plan(&suite, request.clone()).await.unwrap();
        let base = planned.base.unwrap();
        assert_eq!(
            (base.customers, base.mean, base.qualifying_percentage),
            (100, Some(0.1), Some(20.0))
        );
        let (assigned, qualifying) = (planned.assigned.unwrap(), planned.qualifying.unwrap());
        assert_eq!((assigned.customers, assigned.held_out), (64_000, 9_600));
        assert_eq!((qualifying.customers, qualifying.held_out), (12_800, 1_920));
        // A fifth of the customers find effects that are larger by the root of five.
        let ratio = qualifying.detectable_difference / assigned.detectable_difference;
        assert!((ratio - 5_f64.sqrt()).abs() < 1e-9, "{ratio}");
        assert_eq!(planned.words.len(), 5, "{:?}", planned.words);

        suite.clock.set(day(91));
        let planned = plan(&suite, request).await.unwrap();
        assert_eq!((planned.assigned, planned.base.unwrap().mean), (None, None));
        assert!(planned.words[0].starts_with("no outcome of the last 90 days"), "{planned:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_with_a_mean_of_the_callers_own_needs_no_history() {
    on_both(async |suite| {
        let request = proto::PlanExperimentRequest {
            metric: "revenue_per_customer".to_owned(),
            expected_customers: 64_000,
            mean: Some(0.652_789_355_111_236_3),
            variance: Some(134.286_371_853_035_6),
            ..at_85_15()
        };
        let planned = plan(&suite, request).await.unwrap();
        assert_eq!(
            planned.words,
            [
                "64,000 customers at 85/15 detect +55 % revenue or more with 80 % power",
                "+10 % revenue needs 1,939,918 customers, 290,987 of them held out",
            ]
        );
        assert_eq!(planned.base.unwrap().customers, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_plan_is_named() {
    on_both(async |suite| {
        let wrong = proto::PlanExperimentRequest {
            holdout_percentage: Some(100.0),
            metric: "happiness".to_owned(),
            expected_customers: 99,
            effect_percent: Some(0.0),
            qualifying_percentage: Some(101.0),
            mean: Some(f64::NAN),
            variance: Some(-1.0),
        };
        let fields = [
            "holdout_percentage",
            "metric",
            "expected_customers",
            "effect_percent",
            "qualifying_percentage",
            "mean",
            "variance",
        ];
        assert_eq!(shown(&plan(&suite, wrong).await.unwrap_err()), invalid(&fields));
        let bare = proto::PlanExperimentRequest::default();
        assert_eq!(shown(&plan(&suite, bare).await.unwrap_err()), invalid(&["holdout_percentage"]));
        let check = async |metric: &str, mean, variance, expected: &str| {
            let metric = metric.to_owned();
            let request = proto::PlanExperimentRequest { metric, mean, variance, ..at_85_15() };
            assert_eq!(shown(&plan(&suite, request).await.unwrap_err()), invalid(&[expected]));
        };
        check("revenue_per_customer", Some(1.0), None, "variance").await;
        check("revenue_per_customer", None, Some(1.0), "variance").await;
        check("conversion_rate", Some(1.5), None, "mean").await;
        check("rate:conversion/visit", None, None, "metric").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_an_experiment_says_what_it_can_show() {
    on_both(async |suite| {
        let first = suite.create(running()).await.unwrap();
        let nothing = "no customer has an arm in an experiment yet, so it is open what 5,000 \
                       customers can show; `POST /api/v1/experiments:plan` takes a mean";
        assert_eq!(first.planning, [nothing]);
        history(&suite).await;
        suite.clock.set(day(1));
        let second = proto::Experiment { expected_customers: 64_000, ..on_flow("Next", "next") };
        let second = suite.create(second).await.unwrap();
        assert!(second.planning[0].starts_with("64,000 customers at 85/15 detect +"), "{second:?}");
        let forged = proto::Experiment { planning: vec!["much".to_owned()], ..Default::default() };
        let patched = suite.patch(&second.id, forged, &["planning"]).await.unwrap();
        assert_eq!(patched.planning, second.planning);
        assert_eq!(suite.get(&second.id).await.unwrap().planning, second.planning);
    })
    .await;
}

/// Who is known by an outcome only says nothing of the others: of them only those who did something
/// are known.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_rests_on_customers_with_an_arm_and_never_on_those_known_by_an_outcome_only() {
    on_both(async |suite| {
        for number in 0..30 {
            let who = format!("buyer{number:02}");
            suite.deliver([Entry::Outcome(bought(&who, &who, 20, hour(2)))]).await.unwrap();
        }
        suite.clock.set(day(1));
        let first = plan(&suite, at_85_15()).await.unwrap();
        assert_eq!((first.assigned, first.base.unwrap().customers), (None, 0));
        assert!(first.words[0].starts_with("no customer has an arm"), "{:?}", first.words);
        suite.create(running()).await.unwrap();
        history(&suite).await;
        let planned = plan(&suite, at_85_15()).await.unwrap();
        let base = planned.base.unwrap();
        assert_eq!((base.customers, base.mean), (100, Some(0.1)));
        let rests = "it rests on what 100 customers with an arm in an experiment did in the last \
                     90 days";
        assert_eq!(planned.words.last().unwrap(), rests);
    })
    .await;
}
