//! When offers may be offered, and until when one comes before all others.

use proffer_proto::catalog::v1::{Mandate, Offer, Schedule};
use prost_types::Timestamp;

use crate::support::{faults, instant, offer, on_both, on_sqlite};

fn at(text: &str) -> Option<Timestamp> {
    Some(history::timestamp(instant(text)))
}

fn scheduled(starts_at: Option<Timestamp>, ends_at: Option<Timestamp>) -> Offer {
    Offer { schedule: Some(Schedule { starts_at, ends_at }), ..offer("Sale", "Apparel", vec![]) }
}

/// The tests' clock shows 2026-11-25T10:00:00Z.
fn mandatory(reason: &str, expires_at: Option<Timestamp>) -> Offer {
    let mandatory = Some(Mandate { reason: reason.to_owned(), expires_at });
    Offer { mandatory, ..offer("Recall", "Apparel", vec![]) }
}

const BEYOND: Timestamp = Timestamp { seconds: 253_402_300_800, nanos: 0 };

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_kept_changed_in_part_and_taken_away() {
    on_both(async |catalog| {
        let (first, last) = (at("2026-12-01T00:00:00Z"), at("2026-12-24T18:00:00.5Z"));
        let created = catalog.create_offer(scheduled(first, last)).await.unwrap();
        assert_eq!(created.schedule, Some(Schedule { starts_at: first, ends_at: last }));
        let patch = scheduled(None, at("2026-12-31T00:00:00Z"));
        let updated =
            catalog.update_offer("sale", patch.clone(), &["schedule.ends_at"]).await.unwrap();
        assert_eq!(
            updated.schedule,
            Some(Schedule { starts_at: first, ends_at: at("2026-12-31T00:00:00Z") })
        );
        let updated = catalog.update_offer("sale", patch.clone(), &["schedule"]).await.unwrap();
        assert_eq!(updated.schedule, patch.schedule);
        assert_eq!(
            catalog.update_offer("sale", Offer::default(), &["schedule"]).await.unwrap().schedule,
            None
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_schedule_is_told_with_its_part() {
    let catalog = on_sqlite().await;
    let check = async |starts_at, ends_at, expected: &[&str]| {
        let wrong = Offer { margin: Some(101.0), ..scheduled(starts_at, ends_at) };
        let mut told = faults(catalog.create_offer(wrong).await);
        told.retain(|fault| !fault.starts_with("offer.margin"));
        assert_eq!(told, expected);
    };
    let noon = at("2026-12-01T12:00:00Z");
    let fault = "offer.schedule.ends_at is 2026-12-01T12:00:00Z; it must be later than \
                 2026-12-01T12:00:00Z";
    check(noon, noon, &[fault]).await;
    let fault = "offer.schedule needs `starts_at`, `ends_at` or both: leave it out for an offer \
                 that is always offered";
    check(None, None, &[fault]).await;
    let fault = "is not an instant of the years 1 to 9999";
    check(Some(BEYOND), None, &[&format!("offer.schedule.starts_at {fault}")]).await;
    let backwards = Some(Timestamp { seconds: 0, nanos: -1 });
    let both =
        [format!("offer.schedule.starts_at {fault}"), format!("offer.schedule.ends_at {fault}")];
    check(Some(BEYOND), backwards, &both.each_ref().map(String::as_str)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_schedule_is_judged_against_the_rest() {
    let catalog = on_sqlite().await;
    catalog.create_offer(scheduled(at("2026-12-01T00:00:00Z"), None)).await.unwrap();
    let early = scheduled(None, at("2026-11-30T00:00:00Z"));
    let fault = "offer.schedule.ends_at is 2026-11-30T00:00:00Z; it must be later than \
                 2026-12-01T00:00:00Z";
    assert_eq!(faults(catalog.update_offer("sale", early, &["schedule.ends_at"]).await), [fault]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mandate_needs_a_reason_and_an_end_ahead() {
    let catalog = on_sqlite().await;
    let check = async |wrong: Offer, expected: &[&str]| {
        assert_eq!(faults(catalog.create_offer(wrong).await), expected);
    };
    let required = ["offer.mandatory.reason is required", "offer.mandatory.expires_at is required"];
    check(mandatory("", None), &required).await;
    let fault = "offer.mandatory.expires_at is 2026-11-25T10:00:00Z; it must be later than now, \
                 2026-11-25T10:00:00Z";
    check(mandatory("Recall", at("2026-11-25T10:00:00Z")), &[fault]).await;
    let fault = "offer.mandatory.expires_at is not an instant of the years 1 to 9999";
    check(mandatory("Recall", Some(BEYOND)), &[fault]).await;
    let long = "offer.mandatory.reason has 501 characters, which exceeds the maximum 500";
    check(mandatory(&"x".repeat(501), at("2026-11-26T10:00:00Z")), &[long]).await;
    catalog.create_offer(mandatory("Recall", at("2026-11-25T10:00:00.000001Z"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_whose_mandate_has_expired_can_still_be_changed() {
    on_both(async |catalog| {
        let end = at("2026-11-26T10:00:00Z");
        catalog.create_offer(mandatory("Recall", end)).await.unwrap();
        catalog.clock.set(instant("2026-11-27T10:00:00Z"));
        let patch = Offer { priority: Some(1.0), ..Default::default() };
        let updated = catalog.update_offer("recall", patch, &["priority"]).await.unwrap();
        assert_eq!(updated.mandatory, Some(Mandate { reason: "Recall".into(), expires_at: end }));
        let whole = Offer { description: "Over".into(), ..mandatory("Recall", end) };
        catalog.update_offer("recall", whole, &[]).await.unwrap();

        let earlier = mandatory("", at("2026-11-26T09:00:00Z"));
        let fault =
            "offer.mandatory.expires_at is 2026-11-26T09:00:00Z; it must be later than now, \
             2026-11-27T10:00:00Z";
        let refused = catalog.update_offer("recall", earlier, &["mandatory.expires_at"]).await;
        assert_eq!(faults(refused), [fault]);
        let later = mandatory("", at("2026-11-28T10:00:00Z"));
        let updated = catalog.update_offer("recall", later, &["mandatory.expires_at"]).await;
        let updated = updated.unwrap();
        assert_eq!(updated.mandatory.unwrap().expires_at, at("2026-11-28T10:00:00Z"));
        let removed = catalog.update_offer("recall", Offer::default(), &["mandatory"]).await;
        assert_eq!(removed.unwrap().mandatory, None);
        let again = mandatory("Recall", end);
        let fault =
            "offer.mandatory.expires_at is 2026-11-26T10:00:00Z; it must be later than now, \
             2026-11-27T10:00:00Z";
        assert_eq!(faults(catalog.update_offer("recall", again, &["mandatory"]).await), [fault]);
    })
    .await;
}
