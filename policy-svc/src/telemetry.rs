//! The metrics of this service.

use crate::domain::contact::{Contact, State};

/// Counts slots and contacts that were written.
pub fn count_slots(contacts: &[Contact]) {
    for contact in contacts {
        let state = match contact.state {
            State::Reserved => metrics::counter!("proffer.slots.reserved"),
            State::Committed => metrics::counter!("proffer.slots.committed"),
            State::Released => metrics::counter!("proffer.slots.released"),
            // Lapsed slots are counted from the ledger, whether anybody noted them or not.
            State::Expired => continue,
        };
        state.increment(1);
        if contact.is_unreserved {
            metrics::counter!("proffer.contacts.unreserved").increment(1);
            tracing::info!(
                contact.id = %contact.contact_id,
                "contact reported without a live reservation"
            );
        }
    }
}

/// Describes the metrics, once the process has a recorder.
pub fn describe() {
    metrics::describe_counter!("proffer.slots.reserved", "Slots reserved for a contact");
    metrics::describe_counter!("proffer.slots.committed", "Slots that became a contact");
    metrics::describe_counter!("proffer.slots.released", "Slots given back");
    metrics::describe_counter!("proffer.slots.lapsed", "Slots whose reservation ran out unused");
    metrics::describe_counter!(
        "proffer.contacts.unreserved",
        "Contacts reported without a live reservation"
    );
    metrics::describe_counter!(
        "proffer.policy.budget.drift",
        "Differences between a budget and its contacts that were repaired, by kind"
    );
    metrics::describe_gauge!(
        "proffer.policy.lapsed.share",
        "Share of the reservations of the last days that lapsed, by policy"
    );
}
