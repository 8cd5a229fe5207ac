//! Contacts of held-out customers.

use history::{Listing, ServiceContext as _, timestamp};
use proffer_proto::experiment::v1::{self as proto, Experiment};
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};

use super::{Context, resource};
use crate::domain::{
    experiment::{Experiment as Checked, Source},
    leak::{ArmContacts, Contact, Scope},
};

/// Between customer and contact in the place of a page: an id has no control characters.
const APART: char = '\n';
/// Whole numbers per unit of currency.
const UNITS: f64 = 10_000.0;

/// A page of leaks, and the contacts of both arms.
pub async fn list(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::ListLeaksRequest,
) -> Result<proto::ListLeaksResponse, Status> {
    let tenant = metadata::tenant(metadata)?;
    let stored: Experiment = context.stored().get(&tenant, &request.id).await?;
    let experiment = resource::stored(&stored)?;
    let listing = Listing::new(&["leaks", &stored.id]);
    let (size, place) =
        listing.page(request.page_size, &request.page_token).map_err(Problem::invalid_fields)?;
    let after = place.split_once(APART).unwrap_or_default();
    let limit = size as usize;
    let scope = scope(&stored, &experiment);
    let until = experiment.concluded_at.map_or(i64::MAX, |at| at.timestamp_micros());
    // One more than asked for shows whether there is a next page.
    let audited = context.store.audit(&tenant, (&stored.id, &scope), until, after, limit + 1).await;
    let mut audit = audited.map_err(|error| serve::store_status(&error))?;
    let has_more = audit.leaks.len() > limit;
    audit.leaks.truncate(limit);
    let place = |leak: &Contact| format!("{}{APART}{}", leak.customer_id, leak.contact_id);
    let next = audit.leaks.last().filter(|_| has_more).map(|leak| listing.token(&place(leak)));
    Ok(proto::ListLeaksResponse {
        leaks: audit.leaks.into_iter().map(leak).collect(),
        next_page_token: next.unwrap_or_default(),
        treatment: Some(arm(audit.treatment)),
        holdout: Some(arm(audit.holdout)),
    })
}

/// Which contacts the experiment withholds.
pub fn scope(stored: &Experiment, experiment: &Checked) -> Scope {
    match experiment.source {
        Source::External => Scope::Nothing,
        Source::Flow if experiment.is_universal() => Scope::Every,
        Source::Flow => Scope::Flow(resource::flow_id_of(stored)),
    }
}

fn leak(contact: Contact) -> proto::Leak {
    proto::Leak {
        customer_id: contact.customer_id,
        contact_id: contact.contact_id,
        decision_id: contact.decision_id,
        rank: i32::try_from(contact.rank).unwrap_or_default(),
        offer_id: contact.offer_id,
        flow_id: contact.flow_id,
        channel_id: contact.channel_id,
        cost: contact.cost_e4 as f64 / UNITS,
        happened_at: Some(timestamp(serve::from_micros(contact.happened_us))),
        unreserved: contact.is_unreserved,
    }
}

fn arm(contacts: ArmContacts) -> proto::ArmContacts {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    proto::ArmContacts {
        customers: count(contacts.customers),
        contacts: count(contacts.contacts),
        cost: contacts.cost_e4 as f64 / UNITS,
        other_contacts: count(contacts.other_contacts),
        other_contacts_per_customer: contacts.other_per_customer(),
    }
}
