//! Parses the message of an offer.

use formula::rule::Literal;
use proffer_proto::catalog::v1 as proto;
use prost_types::Timestamp;

use wire::{amount, instant::parse as instant, named::CATEGORY, rule, value::literal};

use crate::domain::{
    Faults,
    mandate::{MANDATORY, Mandate},
    name::quoted,
    offer::{Affinity, COST, Offer, RULES},
    schedule::{SCHEDULE, Schedule},
};

/// The offer as the domain knows it, and the faults of its values by path.
pub fn offer(found: &proto::Offer) -> (Offer, Faults) {
    let mut faults = Faults::new();
    let mut read = |path: String, value: Option<&proffer_proto::values::v1::Value>| {
        literal(value).unwrap_or_else(|message| {
            faults.push((path, message));
            // In place of the faulty value, whose own fault is reported.
            Literal::None
        })
    };
    let affinities = found.affinities.iter().enumerate().map(|(index, affinity)| Affinity {
        field: affinity.field.clone(),
        value: read(format!("affinities[{index}].value"), affinity.value.as_ref()),
    });
    let affinities = affinities.collect();
    let custom_fields = found.custom_fields.iter();
    let custom_fields = custom_fields.map(|(name, value)| {
        (name.clone(), read(format!("custom_fields.{}", quoted(name)), Some(value)))
    });
    let custom_fields = custom_fields.collect();
    if let Some(Err(message)) = found.cost.as_ref().map(|value| amount::read(value, COST)) {
        faults.push(("cost".to_owned(), message));
    }
    let rules = rule::rules(RULES, &found.qualification_rules, &mut faults);
    let offer = Offer {
        id: found.id.clone(),
        category: found.category.clone(),
        category_id: wire::reference::bound(&found.references, CATEGORY, &found.category)
            .unwrap_or_default()
            .to_owned(),
        subcategory: found.subcategory.clone(),
        purpose: found.purpose.clone(),
        priority: found.priority,
        business_value: found.business_value,
        margin: found.margin,
        affinities,
        rules,
        custom_fields,
        schedule: found.schedule.as_ref().and_then(|found| schedule(found, &mut faults)),
        mandatory: found.mandatory.as_ref().map(|found| mandate(found, &mut faults)),
    };
    (offer, faults)
}

/// `None` when an instant is at fault: faults that follow from it are not reported.
fn schedule(found: &proto::Schedule, faults: &mut Faults) -> Option<Schedule> {
    let count = faults.len();
    let mut read = |part: &str, at: Option<&Timestamp>| {
        let read = at.map(instant).transpose();
        read.unwrap_or_else(|message| {
            faults.push((format!("{SCHEDULE}.{part}"), message));
            None
        })
    };
    let (starts_at, ends_at) = (found.starts_at.as_ref(), found.ends_at.as_ref());
    let schedule =
        Schedule { starts_at: read("starts_at", starts_at), ends_at: read("ends_at", ends_at) };
    (faults.len() == count).then_some(schedule)
}

fn mandate(found: &proto::Mandate, faults: &mut Faults) -> Mandate {
    let expires_at = found.expires_at.as_ref().map(instant).transpose().unwrap_or_else(|message| {
        faults.push((format!("{MANDATORY}.expires_at"), message));
        None
    });
    Mandate { reason: found.reason.clone(), expires_at }
}
