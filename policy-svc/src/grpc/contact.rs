//! ContactService: lists a customer's contacts, and what each policy still allows.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use proffer_proto::policy::v1::{self as proto, contact_service_server::ContactService};
use serve::{Problem, metadata};
use tonic::{Request, Response, Status};

use super::{Context, status::status};
use crate::{
    domain::{
        configuration::Configuration,
        contact::{Contact, State},
        usage::{Usage, usage},
        zone,
    },
    messages::id_fault,
};

/// Contacts with customers.
pub struct Contacts(pub Context);

fn printed(contact: Contact, at: DateTime<Utc>) -> proto::Contact {
    let state = match contact.state_at(at) {
        State::Reserved => proto::ContactState::Reserved,
        State::Committed => proto::ContactState::Committed,
        State::Released => proto::ContactState::Released,
        State::Expired => proto::ContactState::Expired,
    };
    proto::Contact {
        contact_id: contact.contact_id,
        decision_id: contact.decision_id,
        rank: i32::try_from(contact.rank).unwrap_or(i32::MAX),
        offer_id: contact.offer.offer_id,
        category: contact.offer.category,
        channel: contact.channel.name,
        state: state.into(),
        reserved_at: contact.reserved_at.map(history::timestamp),
        reserved_until: contact.reserved_until.map(history::timestamp),
        committed_at: contact.committed_at.map(history::timestamp),
        unreserved: contact.is_unreserved,
    }
}

fn used(found: Usage) -> proto::PolicyUsage {
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    proto::PolicyUsage {
        policy_id: found.policy_id,
        name: found.name,
        rule_type: found.rule_type.to_owned(),
        contacts: count(found.counted),
        reserved: count(found.reserved),
        limit: count(found.limit),
        free: count(found.limit.saturating_sub(found.counted + found.reserved)),
        window_seconds: found.window_seconds,
        refusal: found.refusal.unwrap_or_default(),
        next_allowed_at: found.next_allowed_at.map(history::timestamp),
    }
}

/// The zone that periods and hours are shown in.
fn assumed_zone(named: &str, configuration: &Configuration) -> Result<Tz, Problem> {
    let settings = &configuration.settings;
    if named.is_empty() {
        return Ok(settings.fallback_timezone.unwrap_or(settings.timezone));
    }
    zone::parse(named).ok_or_else(|| {
        let text =
            format!("`{}` is not an IANA zone name such as `Europe/London`", zone::shown(named));
        Problem::invalid_field("timezone", text)
    })
}

#[tonic::async_trait]
impl ContactService for Contacts {
    async fn list_contacts(
        &self,
        request: Request<proto::ListContactsRequest>,
    ) -> Result<Response<proto::ListContactsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        if let Some(message) = id_fault(&asked.customer_id) {
            return Err(Problem::invalid_field("customer_id", message).into());
        }
        let configuration = self.0.configurations.newest(&tenant).await?;
        let zone = assumed_zone(&asked.timezone, &configuration)?;
        let listing = history::Listing::new(&["contacts", &asked.customer_id]);
        let (size, after) =
            listing.page(asked.page_size, &asked.page_token).map_err(Problem::invalid_fields)?;
        let found = self.0.store.contacts(&tenant, &asked.customer_id, &after, i64::from(size) + 1);
        let (mut contacts, at) = found.await.map_err(|error| serve::store_status(&error))?;
        let size = usize::try_from(size).unwrap_or_default();
        let has_more = contacts.len() > size;
        contacts.truncate(size);
        let next_page_token = match contacts.last().filter(|_| has_more) {
            Some(last) => listing.token(&last.contact_id),
            None => String::new(),
        };
        let contacts = contacts.into_iter().map(|contact| printed(contact, at)).collect();
        let mut policies = Vec::new();
        if asked.page_token.is_empty() {
            let facts = self.0.gate.facts(&tenant, configuration.clone(), &asked.customer_id).await;
            let facts = facts.map_err(status)?;
            policies.extend(usage(&configuration, &facts, zone).into_iter().map(used));
        }
        let timezone = zone.name().to_owned();
        Ok(Response::new(proto::ListContactsResponse {
            contacts,
            next_page_token,
            policies,
            timezone,
        }))
    }
}
