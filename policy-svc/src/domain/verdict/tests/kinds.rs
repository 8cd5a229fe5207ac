//! Every kind of rule against a small history: a table per kind.

use super::*;
use crate::domain::rule::{
    allow_override::AllowOverride, category_suppression::CategorySuppression, cooldown::Cooldown,
    cross_channel_cap, customer_total_cap, mutual_exclusion::MutualExclusion,
    segment_exclusion::SegmentExclusion, time_window::TimeWindow,
};

/// A contact on a channel, so many seconds ago.
fn on(offer: (&str, &str), channel: &str, seconds_ago: i64) -> ContactFact {
    let subject = Subject::new(&offers(&[offer])[0], &format!("ch_{channel}"), channel);
    let standing = Standing::Committed(noon() - TimeDelta::seconds(seconds_ago));
    ContactFact { contact_id: String::new(), subject, standing }
}

/// A slot held for another hour.
fn held(offer: (&str, &str)) -> ContactFact {
    ContactFact {
        standing: Standing::Reserved(noon() + TimeDelta::hours(1)),
        ..on(offer, "email", 0)
    }
}

/// What each candidate gets: `granted`, `passed`, or the reason code; by e-mail at noon in London.
fn found(
    policies: &[Written<'_>],
    contacts: Vec<ContactFact>,
    names: &[(&str, &str)],
) -> Vec<&'static str> {
    let judgment = judged(policies, contacts, names, noon(), &fields("Europe/London", true));
    let verdicts = judgment.verdicts.iter().enumerate();
    let word = |(place, verdict): (usize, &Verdict)| match &verdict.refusal {
        Some(refusal) => refusal.code.as_str(),
        None if judgment.granted.contains(&place) => "granted",
        None => "passed",
    };
    verdicts.map(word).collect()
}

fn judged(
    policies: &[Written<'_>],
    contacts: Vec<ContactFact>,
    names: &[(&str, &str)],
    at: DateTime<Utc>,
    fields: &Fields,
) -> Judgment {
    let (configuration, candidates) = (configuration(policies), offers(names));
    let facts = Facts { ledger_at: at, contacts, ..Default::default() };
    judge(&Case { at, ..case(&configuration, "email", fields, &candidates) }, &facts, slots(9))
}

const A: (&str, &str) = ("a", "Apparel");
const B: (&str, &str) = ("b", "Apparel");
const T: (&str, &str) = ("t", "Toys");
const HOUR: i64 = 3_600;

#[test]
fn a_cooldown_rests_after_any_contact_in_scope_and_after_a_slot() {
    let rest = kind(Cooldown::parse(24));
    let check = |scope: &str, contacts: Vec<ContactFact>, expected: &[&str]| {
        assert_eq!(
            found(&[policy("pol_1", scope, 50, &rest)], contacts, &[A, T]),
            expected,
            "{scope}"
        );
    };
    check("global", vec![], &["granted", "cooldown"]);
    check("global", vec![on(T, "sms", 24 * HOUR - 1)], &["cooldown", "cooldown"]);
    check("global", vec![on(T, "sms", 24 * HOUR)], &["granted", "cooldown"]);
    check("global", vec![held(B)], &["cooldown", "cooldown"]);
    check("category:Apparel", vec![on(B, "email", 1)], &["cooldown", "granted"]);
    check("category:Apparel", vec![on(T, "email", 1)], &["granted", "granted"]);
    let rested = judged(
        &[policy("pol_1", "", 50, &rest)],
        vec![on(T, "sms", HOUR), held(B)],
        &[A],
        noon(),
        &fields("Europe/London", true),
    );
    let row = &rested.verdicts[0].policies[0];
    assert_eq!((row.counted, row.reserved, row.limit, row.window_seconds), (1, 1, 1, 24 * HOUR));
    assert_eq!(row.next_allowed_at, Some(noon() + TimeDelta::hours(23)));
    assert_eq!(
        rested.verdicts[0].summary,
        "1 contacts in last 24h, 1 reserved, no contact until 2026-07-04T10:00:00Z"
    );
}

#[test]
fn a_category_rests_after_a_contact_of_the_same_category() {
    let rest = kind(CategorySuppression::parse(7));
    let check = |contacts: Vec<ContactFact>, expected: &[&str]| {
        assert_eq!(found(&[policy("pol_1", "", 50, &rest)], contacts, &[A, B, T]), expected);
    };
    check(vec![], &["granted", "category_suppression", "granted"]);
    check(
        vec![on(("x", "APPAREL"), "sms", 7 * DAY - 1)],
        &["category_suppression", "category_suppression", "granted"],
    );
    check(vec![on(A, "sms", 7 * DAY)], &["granted", "category_suppression", "granted"]);
    check(vec![held(T)], &["granted", "category_suppression", "category_suppression"]);
}

#[test]
fn listed_offers_exclude_each_other_and_nothing_else() {
    let listed = ["a".to_owned(), "b".to_owned()];
    let exclusion = kind(MutualExclusion::parse(&listed, 7));
    let check = |contacts: Vec<ContactFact>, expected: &[&str]| {
        assert_eq!(found(&[policy("pol_1", "", 50, &exclusion)], contacts, &[A, B, T]), expected);
    };
    check(vec![], &["granted", "mutual_exclusion", "granted"]);
    check(vec![on(A, "sms", 1)], &["granted", "mutual_exclusion", "granted"]);
    check(vec![on(B, "sms", 7 * DAY - 1)], &["mutual_exclusion", "granted", "granted"]);
    check(vec![on(B, "sms", 7 * DAY)], &["granted", "mutual_exclusion", "granted"]);
    check(vec![held(B)], &["mutual_exclusion", "granted", "granted"]);
    check(vec![on(T, "sms", 1)], &["granted", "mutual_exclusion", "granted"]);
}

#[test]
fn total_and_cross_channel_caps_ignore_what_they_say_of_the_scope() {
    let two = CapDraft { window_days: 7, max_impressions: 2, ..CapDraft::default() };
    let contacts = || vec![on(T, "sms", 1), on(A, "web", 2)];
    let check = |scope: &str, cap: &Arc<dyn PolicyKind>, expected: &[&str]| {
        assert_eq!(
            found(&[policy("pol_1", scope, 50, cap)], contacts(), &[A, T]),
            expected,
            "{scope} {cap:?}"
        );
    };
    let (total, cross) =
        (kind(customer_total_cap::KIND.parse(two)), kind(cross_channel_cap::KIND.parse(two)));
    let frequency = kind(frequency_cap::KIND.parse(two));
    check("channel:email;category:Apparel", &total, &["customer_total_cap", "customer_total_cap"]);
    check("channel:email", &cross, &["cross_channel_cap", "cross_channel_cap"]);
    check("channel:email;category:Apparel", &cross, &["granted", "granted"]);
    check("channel:email", &frequency, &["granted", "granted"]);
    check("global", &frequency, &["frequency_cap", "frequency_cap"]);
}

#[test]
fn calendar_limits_count_in_the_customers_own_days() {
    let daily = kind(frequency_cap::KIND.parse(CapDraft { max_per_day: 1, ..CapDraft::default() }));
    let policies = [policy("pol_1", "", 50, &daily)];
    let check = |zone: &str, contact_at: &str, at: &str, expected: &str, next: Option<&str>| {
        let (at, contact_at): (DateTime<Utc>, DateTime<Utc>) =
            (at.parse().unwrap(), contact_at.parse().unwrap());
        let fact = ContactFact { standing: Standing::Committed(contact_at), ..on(A, "email", 0) };
        let judgment = judged(&policies, vec![fact], &[A], at, &fields(zone, true));
        let row = &judgment.verdicts[0].policies[0];
        assert_eq!(judgment.verdicts[0].summary, expected, "{zone} {at}");
        assert_eq!(row.next_allowed_at, next.map(|next| next.parse().unwrap()), "{zone} {at}");
    };
    let (full, free) = ("1 of 1 today (1 contacts)", "passed (0 contacts today)");
    let next = Some("2026-07-03T23:00:00Z");
    check("Europe/London", "2026-07-02T23:00:00Z", "2026-07-03T11:00:00Z", full, next);
    check("Europe/London", "2026-07-02T22:59:59Z", "2026-07-03T11:00:00Z", free, None);
    // The same contact is yesterday's for one who lives further east, or has moved there.
    check("Asia/Tokyo", "2026-07-02T14:59:59Z", "2026-07-03T01:00:00Z", free, None);
    check(
        "Asia/Tokyo",
        "2026-07-02T15:00:00Z",
        "2026-07-03T01:00:00Z",
        full,
        Some("2026-07-03T15:00:00Z"),
    );
    // A day of 25 hours.
    check(
        "Europe/London",
        "2026-10-24T23:00:00Z",
        "2026-10-25T20:59:59Z",
        full,
        Some("2026-10-26T00:00:00Z"),
    );
    let unknown = judged(&policies, vec![], &[A], noon(), &fields("Mars/Base", true));
    assert_eq!(unknown.verdicts[0].refusal.as_ref().unwrap().code, ReasonCode::TimezoneUnknown);
}

#[test]
fn segments_are_excluded_and_a_missing_one_refuses() {
    let gold = ["gold".to_owned(), "7".to_owned()];
    let exclusion = kind(SegmentExclusion::parse("customer.tier", &gold));
    let check = |value: Option<FieldValue>, expected: Option<&str>| {
        let mut fields = fields("Europe/London", true);
        fields.extend(value.clone().map(|value| ("tier".to_owned(), value)));
        let judgment =
            judged(&[policy("pol_1", "", 50, &exclusion)], vec![], &[A], noon(), &fields);
        let reason = judgment.verdicts[0].refusal.as_ref().map(|refusal| refusal.reason.as_str());
        assert_eq!(reason, expected, "{value:?}");
    };
    let text = |text: &str| Some(FieldValue::Text(text.to_owned()));
    check(text("silver"), None);
    check(text("Gold"), Some("contact policy pol_1: customer.tier is Gold, an excluded segment"));
    check(
        Some(FieldValue::Number("7".into())),
        Some("contact policy pol_1: customer.tier is 7, an excluded segment"),
    );
    check(None, Some("contact policy pol_1: customer.tier is not set"));
    check(Some(FieldValue::Null), Some("contact policy pol_1: customer.tier is not set"));
    check(
        Some(FieldValue::Other),
        Some("contact policy pol_1: customer.tier cannot be compared with a segment"),
    );
}

#[test]
fn a_time_window_says_when_quiet_hours_and_it_both_allow() {
    let days = ["mon", "tue", "wed", "thu", "fri"].map(str::to_owned);
    let office = kind(TimeWindow::parse(&days, "07:00", "17:00"));
    let check = |at: &str, code: &str, reason: &str, after: &str| {
        let at = at.parse().unwrap();
        let judgment = judged(
            &[policy("office", "", 50, &office)],
            vec![],
            &[A],
            at,
            &fields("Europe/London", true),
        );
        let refusal = judgment.refusal.as_ref().or(judgment.verdicts[0].refusal.as_ref()).unwrap();
        assert_eq!((refusal.code.as_str(), refusal.reason.as_str()), (code, reason));
        assert_eq!(refusal.deliver_after.unwrap().to_rfc3339(), after);
    };
    // Saturday noon: Monday seven is within quiet hours, so eight.
    let reason = "contact policy office: outside the allowed hours (mon,tue,wed,thu,fri \
                  07:00-17:00 local) — deliver after 08:00 on 2026-07-06";
    check("2026-07-04T11:00:00Z", "time_window", reason, "2026-07-06T08:00:00+01:00");
    let reason = "channel email is within quiet hours (21:00-08:00 local) — deliver after 08:00 on \
                  2026-07-06";
    check("2026-07-04T01:00:00Z", "quiet_hours", reason, "2026-07-06T08:00:00+01:00");
    let reason = "channel email is within quiet hours (21:00-08:00 local) — deliver after 08:00";
    check("2026-07-03T01:00:00Z", "quiet_hours", reason, "2026-07-03T08:00:00+01:00");
}

#[test]
fn the_law_is_a_floor_that_a_channel_can_only_raise() {
    let candidates = offers(&[A]);
    let check = |channel: &str, country: Option<&str>, at: &str, expected: Option<&str>| {
        let mut configuration = configuration(&[]);
        let legal = [("US", "20:00", "09:00")];
        configuration.settings.legal_quiet_hours =
            crate::domain::settings::legal_quiet_hours(legal.into_iter()).unwrap();
        let mut fields = fields("America/New_York", true);
        fields.extend(
            country.map(|country| ("country".to_owned(), FieldValue::Text(country.to_owned()))),
        );
        let case = Case {
            at: at.parse().unwrap(),
            ..self::case(&configuration, channel, &fields, &candidates)
        };
        let judgment = judge(&case, &facts(Vec::new()), slots(1));
        let reason = judgment.refusal.map(|refusal| refusal.reason);
        assert_eq!(reason.as_deref(), expected, "{channel} {country:?} {at}");
    };
    let evening = "2026-07-04T00:30:00Z";
    let legal = "channel email is within the legal quiet hours of US (20:00-09:00 local) — deliver \
                 after 09:00";
    check("email", Some("US"), evening, Some(legal));
    check("email", Some("us"), evening, Some(legal));
    check("email", None, evening, Some(legal));
    check("email", Some("CA"), evening, None);
    check("web", Some("US"), evening, None);
    let both = "channel email is within quiet hours (21:00-08:00 local) — deliver after 09:00";
    check("email", Some("US"), "2026-07-04T03:00:00Z", Some(both));
}

#[test]
fn an_override_lifts_softer_policies_of_lower_priority_only() {
    let listed = ["a".to_owned(), "b".to_owned()];
    let gold = ["gold".to_owned()];
    let weekend = ["sat".to_owned(), "sun".to_owned()];
    let capped = CapDraft { window_days: 7, max_impressions: 1, ..CapDraft::default() };
    let lift = kind(Ok(AllowOverride));
    let check = |priority: i32, kind: &Arc<dyn PolicyKind>, expected: &str| {
        let policies =
            [policy("lift", "category:Apparel", 60, &lift), policy("pol", "", priority, kind)];
        assert_eq!(
            found(&policies, vec![on(B, "email", 1)], &[A]),
            [expected],
            "{priority} {kind:?}"
        );
    };
    let soft = [
        (kind(Cooldown::parse(24)), "cooldown"),
        (kind(CategorySuppression::parse(7)), "category_suppression"),
        (kind(MutualExclusion::parse(&listed, 7)), "mutual_exclusion"),
        (kind(SegmentExclusion::parse("tier", &gold)), "segment_excluded"),
        (kind(TimeWindow::parse(&weekend, "", "")), "time_window"),
    ];
    for (kind, code) in &soft {
        check(59, kind, "granted");
        check(60, kind, code);
        check(61, kind, code);
    }
    check(0, &kind(frequency_cap::KIND.parse(capped)), "frequency_cap");
    check(0, &kind(customer_total_cap::KIND.parse(capped)), "customer_total_cap");
    check(0, &kind(cross_channel_cap::KIND.parse(capped)), "cross_channel_cap");
    let rest = policy("pol", "", 50, &kind(Cooldown::parse(24)));
    let judgment = judged(
        &[policy("lift", "", 60, &lift), rest.clone()],
        vec![on(B, "email", 1)],
        &[A],
        noon(),
        &fields("Europe/London", true),
    );
    let row = &judgment.verdicts[0].policies[1];
    assert_eq!((row.is_passed, row.lifted_by.as_deref(), row.counted), (true, Some("lift"), 1));
    // Outside of the override's scope the rest holds.
    assert_eq!(
        found(
            &[policy("lift", "category:Apparel", 60, &lift), rest],
            vec![on(B, "email", 1)],
            &[T]
        ),
        ["cooldown"]
    );
}
