use std::sync::Arc;

use chrono::{DateTime, Utc};
use formula::Moment;
use uplift::Segment;

use super::*;
use crate::domain::{scalar::Fields, schedule::Mandate};

/// Vectors by Python: `int.from_bytes(sha256(b"gate:flow\0customer\0offer").digest()[:8], "big") *
/// 20 < 2**64`.
#[test]
fn pairs_pass_by_a_hash_that_is_the_same_in_any_language() {
    for (flow, customer, offer, expected) in [
        ("flow_winback", "c4", "off_b", true),
        ("flow_winback", "c4", "off_a", false),
        ("flow_winback", "c45", "off_a", true),
        ("flow_winback", "cust_1", "off_a", false),
        ("flow_é", "c19", "off_a", true),
        ("flow_é", "c43", "off_b", true),
        ("flow_é", "Zoë", "off_b", false),
    ] {
        assert_eq!(passes(flow, customer, offer), expected, "{flow} {customer} {offer}");
    }
}

#[test]
fn one_pair_in_twenty_passes_whatever_passes_of_other_flows_and_offers() {
    let passing = |flow: &str, offer: &str| -> Vec<u32> {
        (0..40_000).filter(|number| passes(flow, &format!("c{number}"), offer)).collect()
    };
    let one = passing("flow_a", "off_a");
    assert_eq!(one.len(), 1_976, "as Python counts");
    for other in [passing("flow_b", "off_a"), passing("flow_a", "off_b")] {
        let both = one.iter().filter(|number| other.contains(number)).count();
        assert!((60..140).contains(&both), "100 by chance: {both}");
    }
}

const NOW: &str = "2026-11-22T10:00:00Z";

/// What the gate says of an offer with this cost, when the bin's interval ends here.
fn judged(value_e4: Option<i64>, upper: f64, cost_e4: i64, mandate: Option<&str>) -> Gate {
    let mandate = mandate.map(|until| Mandate {
        reason: "recall".to_owned(),
        expires_at: until.parse::<DateTime<Utc>>().unwrap(),
    });
    let mut offer = Candidate { mandate, ..Candidate::default() };
    offer.subject.offer_id = "off_a".to_owned();
    offer.subject.cost_e4 = cost_e4;
    let found = Uplift {
        effect: upper - 1.0,
        interval: (upper - 2.0, upper),
        helps: 0.5,
        baseline: 0.1,
        segment: Segment::Uncertain,
        model_revision: 1,
    };
    let (fields, moment) = (Fields::new(), Moment::new(NOW.parse().unwrap(), chrono_tz::UTC));
    let facts = Facts {
        customer_id: "cust_1",
        flow_id: "flow_winback",
        ..Facts::of_record(&fields, &fields, &moment)
    };
    let gate = MinUplift { value_e4 };
    assert_eq!(gate.judge(&offer, None, &facts), Gate::Open, "nobody knows");
    gate.judge(&offer, Some(&found), &facts)
}

#[test]
fn an_offer_is_refused_when_the_upper_bound_times_the_value_lies_below_its_cost() {
    assert_eq!(judged(Some(400_000), 0.25, 100_000, None), Gate::Open, "equal passes");
    assert_eq!(judged(Some(400_000), 0.25, 100_001, None), Gate::Shut(100_000.0));
    assert_eq!(judged(Some(400_000), -0.25, 1, None), Gate::Shut(-100_000.0));
    assert_eq!(judged(None, 2.5, 25_000, None), Gate::Open, "an effect in money");
    assert_eq!(judged(None, 2.5, 25_001, None), Gate::Shut(25_000.0));
}

#[test]
fn what_costs_nothing_what_is_mandatory_and_what_is_no_number_passes() {
    assert_eq!(judged(Some(400_000), -0.25, 0, None), Gate::Open);
    assert_eq!(judged(Some(1), 0.0, 100, Some("2026-11-22T10:00:01Z")), Gate::Open);
    assert_eq!(judged(Some(1), 0.0, 100, Some(NOW)), Gate::Shut(0.0), "an ordinary offer again");
    assert_eq!(judged(Some(1), f64::NAN, 100, None), Gate::Open);
    assert_eq!((Gate::Open.probability(), Gate::Passing.probability()), (1.0, 0.05));
}

#[test]
fn an_effect_is_compared_by_the_model_of_its_kind() {
    let model = |id: &str, category_id: &str, in_money, is_shadow| {
        let model = EffectModel::silent(id, category_id, in_money);
        Arc::new(EffectModel { is_shadow, ..model })
    };
    let models = vec![
        model("model_all", "", false, false),
        model("model_home_shy", "cat_home", true, true),
        model("model_rich", "", true, false),
        model("model_toys", "cat_toys", false, false),
    ];
    let effects = Effects { revision: 1, models };
    let (chance, money) = (MinUplift { value_e4: Some(1) }, MinUplift { value_e4: None });
    assert_eq!(chance.model(&effects, "cat_home"), Some(0));
    assert_eq!(chance.model(&effects, "cat_toys"), Some(3));
    assert_eq!(
        (money.model(&effects, "cat_home"), money.model(&effects, "cat_toys")),
        (Some(2), Some(2))
    );
    assert!(effects.is_scoring());
}
