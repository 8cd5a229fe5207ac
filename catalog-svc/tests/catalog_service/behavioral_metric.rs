//! Behavioral metrics, and the rules and formulas that read them.

use proffer_proto::{
    catalog::v1::{
        BehavioralMetric, Classification, DeleteBehavioralMetricRequest,
        GetBehavioralMetricRequest, ListBehavioralMetricsRequest, MetricAggregate, Operator,
        OutcomeCategory, OutcomeType, OutputType, Rule,
    },
    values::v1::ResourceStatus,
};
use tonic::{Code, Status};

use crate::support::{
    Catalog, affinity, boolean, category, clicks, code, condition, faults, integer, offer, on_both,
    on_sqlite, refusal, text,
};

async fn get(catalog: &Catalog, named: &str) -> Result<BehavioralMetric, Status> {
    let request = GetBehavioralMetricRequest { id: named.to_owned() };
    Ok(catalog
        .metrics()
        .get_behavioral_metric(request)
        .await?
        .into_inner()
        .behavioral_metric
        .unwrap())
}

async fn delete(catalog: &Catalog, named: &str) -> Result<(), Status> {
    let request = DeleteBehavioralMetricRequest { id: named.to_owned(), etag: String::new() };
    catalog.metrics().delete_behavioral_metric(request).await.map(drop)
}

fn keen() -> Rule {
    condition("metrics.clicks_7d", Operator::Gte, integer(3))
}

fn with_status(status: ResourceStatus) -> BehavioralMetric {
    BehavioralMetric { status: status.into(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_is_known_by_its_key_or_name_and_keeps_its_key() {
    on_both(async |catalog| {
        let created = catalog.create_metric(clicks()).await.unwrap();
        assert_eq!(
            (created.key.as_str(), created.status(), created.revision),
            ("clicks_7d", ResourceStatus::Active, 1)
        );
        assert_eq!(created.warnings, [""; 0]);
        for named in ["clicks_7d", "CLICKS in 7 days"] {
            assert_eq!(get(&catalog, named).await.unwrap(), created);
        }
        let other = BehavioralMetric { key: "other".into(), window_days: 30, ..Default::default() };
        let refused = catalog.update_metric("clicks_7d", other, &["key", "window_days"]).await;
        assert_eq!(refusal(refused), (Code::InvalidArgument, "INVALID_FIELD".to_owned()));
        let patch = BehavioralMetric { window_days: 30, ..Default::default() };
        let updated = catalog.update_metric("clicks_7d", patch, &["window_days"]).await.unwrap();
        assert_eq!(
            (updated.key.as_str(), updated.window_days, updated.revision),
            ("clicks_7d", 30, 2)
        );
        let whole = BehavioralMetric { key: String::new(), name: "Clicks".into(), ..clicks() };
        let updated = catalog.update_metric("clicks_7d", whole, &[]).await.unwrap();
        assert_eq!(
            (updated.key.as_str(), updated.name.as_str(), updated.window_days),
            ("clicks_7d", "Clicks", 7)
        );
        let stale = BehavioralMetric { etag: created.etag, ..with_status(ResourceStatus::Paused) };
        let stale = catalog.update_metric("clicks_7d", stale, &["status"]).await;
        assert_eq!(refusal(stale), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_never_used_again_and_a_name_is_free() {
    on_both(async |catalog| {
        catalog.create_metric(clicks()).await.unwrap();
        let taken = (Code::AlreadyExists, "ALREADY_EXISTS".to_owned());
        let same_key = BehavioralMetric { name: "Other".into(), ..clicks() };
        assert_eq!(refusal(catalog.create_metric(same_key.clone()).await), taken);
        let same_name = BehavioralMetric { key: "other".into(), ..clicks() };
        assert_eq!(refusal(catalog.create_metric(same_name.clone()).await), taken);
        delete(&catalog, "Clicks in 7 days").await.unwrap();
        assert_eq!(code(delete(&catalog, "clicks_7d").await), Code::NotFound);
        assert_eq!(refusal(catalog.create_metric(same_key).await), taken);
        catalog.create_metric(same_name).await.unwrap();
        let request = ListBehavioralMetricsRequest::default();
        let listed = catalog.metrics().list_behavioral_metrics(request).await.unwrap().into_inner();
        assert_eq!(
            listed.behavioral_metrics.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(),
            ["other"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_metric_is_told() {
    let catalog = on_sqlite().await;
    let wrong = BehavioralMetric {
        status: 9,
        outcome: "Opt Out".into(),
        aggregate: 9,
        ..Default::default()
    };
    assert_eq!(
        faults(catalog.create_metric(wrong).await),
        [
            "behavioral_metric.name is required",
            "behavioral_metric.status must be one of active, draft, paused, archived",
            "behavioral_metric.key is required",
            "behavioral_metric.outcome `Opt Out` is not a key: write the key of the outcome type, \
             not its name",
            "behavioral_metric.aggregate must be one of count, sum, last",
            "behavioral_metric.window_days is 0; it must be 1 to 365",
        ]
    );
    let wrong = BehavioralMetric { key: "Clicks".into(), window_days: 366, ..clicks() };
    assert_eq!(
        faults(catalog.create_metric(wrong).await),
        [
            "behavioral_metric.key `Clicks` must match [a-z][a-z0-9_]{0,62}",
            "behavioral_metric.window_days is 366; it must be 1 to 365",
        ]
    );
    catalog.create_metric(clicks()).await.unwrap();
    let unspecified =
        catalog.update_metric("clicks_7d", BehavioralMetric::default(), &["aggregate"]).await;
    assert_eq!(
        faults(unspecified),
        ["behavioral_metric.aggregate must be one of count, sum, last"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_type_that_nobody_created_is_warned_of() {
    let catalog = on_sqlite().await;
    let count = |key: &str, outcome: &str| BehavioralMetric {
        key: key.into(),
        name: key.into(),
        outcome: outcome.into(),
        ..clicks()
    };
    let near = catalog.create_metric(count("a", "clik")).await.unwrap();
    let warning = "outcome type `clik` does not exist: no outcome counts until it does; did you \
                   mean `click`?";
    assert_eq!(near.warnings, [warning]);
    let quote = OutcomeType {
        key: "quote_requested".into(),
        name: "Quote Requested".into(),
        classification: Classification::Positive.into(),
        category: OutcomeCategory::Response.into(),
        ..Default::default()
    };
    catalog.create_outcome_type(quote).await.unwrap();
    for known in ["opt_out", "quote_requested"] {
        assert_eq!(catalog.create_metric(count(known, known)).await.unwrap().warnings, [""; 0]);
    }
    let last = BehavioralMetric {
        aggregate: MetricAggregate::Last.into(),
        window_days: 365,
        ..count("z", "conversion")
    };
    assert_eq!(catalog.create_metric(last.clone()).await.unwrap().aggregate, last.aggregate);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_affinities_and_formulas_read_a_metric_as_a_number() {
    on_both(async |catalog| {
        let early = offer("Early", "Apparel", vec![keen()]);
        let unknown = "offer.qualification_rules[0].field `metrics.clicks_7d` is not a behavioral \
                       metric";
        assert_eq!(faults(catalog.create_offer(early).await), [unknown]);
        catalog.create_metric(clicks()).await.unwrap();
        let fields = [("isKeen", "metrics.clicks_7d > 3", OutputType::Boolean)];
        catalog.create_category(category("Apparel", &fields)).await.unwrap();
        let mut keen = offer(
            "Keen",
            "Apparel",
            vec![keen(), condition("isKeen", Operator::Eq, boolean(true))],
        );
        keen.affinities = vec![affinity("metrics.clicks_7d", integer(1))];
        assert_eq!(catalog.create_offer(keen).await.unwrap().warnings, [""; 0]);
        let wrong = vec![
            condition("metrics.clicks_7d", Operator::Eq, text("many")),
            condition("metrics.click_7d", Operator::Exists, None),
        ];
        assert_eq!(
            faults(catalog.create_offer(offer("Wrong", "Apparel", wrong)).await),
            [
                "offer.qualification_rules[0].value condition on `metrics.clicks_7d`: the field is \
                 a number and cannot be compared with the string `many`",
                "offer.qualification_rules[1].field `metrics.click_7d` is not a behavioral metric; \
                 did you mean `clicks_7d`?",
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_that_comes_to_rest_names_what_reads_it() {
    on_both(async |catalog| {
        catalog.create_metric(clicks()).await.unwrap();
        let fields = [("isKeen", "metrics.clicks_7d > 3", OutputType::Boolean)];
        catalog.create_category(category("Toys", &fields)).await.unwrap();
        let borrowed = condition("isKeen", Operator::Eq, boolean(true));
        for (name, rules) in [("Itself", vec![keen()]), ("Lends", vec![borrowed]), ("Free", vec![])]
        {
            catalog.create_offer(offer(name, "Toys", rules)).await.unwrap();
        }
        let paused = catalog
            .update_metric("clicks_7d", with_status(ResourceStatus::Paused), &["status"])
            .await
            .unwrap();
        let missing = "reads `metrics.clicks_7d`, which is missing in decisions from now on";
        let readers = [
            "computed field `isKeen` of category `Toys`",
            "offer `off_itself`",
            "offer `off_lends`",
        ];
        assert_eq!(paused.warnings, readers.map(|reader| format!("{reader} {missing}")));
        let again = BehavioralMetric { description: "Resting".into(), ..Default::default() };
        assert_eq!(
            catalog.update_metric("clicks_7d", again, &["description"]).await.unwrap().warnings,
            [""; 0]
        );
        let late = catalog.create_offer(offer("Late", "Toys", vec![keen()])).await.unwrap();
        assert_eq!(
            late.warnings,
            ["`metrics.clicks_7d` is not active: it is missing in decisions"]
        );
        let active = catalog
            .update_metric("clicks_7d", with_status(ResourceStatus::Active), &["status"])
            .await
            .unwrap();
        assert_eq!(active.warnings, [""; 0]);
    })
    .await;
}

/// What the delete breaks is reported at the next write of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_metric_is_no_longer_known_to_rules() {
    let catalog = on_sqlite().await;
    catalog.create_metric(clicks()).await.unwrap();
    let other =
        BehavioralMetric { key: "clicks_30d".into(), name: "Clicks in 30 days".into(), ..clicks() };
    catalog.create_metric(other).await.unwrap();
    catalog.create_offer(offer("Keen", "Apparel", vec![keen()])).await.unwrap();
    delete(&catalog, "clicks_7d").await.unwrap();
    let patch = proffer_proto::catalog::v1::Offer { priority: Some(1.0), ..Default::default() };
    let fault = "offer.qualification_rules[0].field `metrics.clicks_7d` is not a behavioral \
                 metric; did you mean `clicks_30d`?";
    assert_eq!(faults(catalog.update_offer("keen", patch, &["priority"]).await), [fault]);
}
