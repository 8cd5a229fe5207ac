//! ContactService.

use chrono::{DateTime, Utc};
use proffer_proto::policy::v1::{self as proto, contact_service_server::ContactService};
use serve::{Problem, metadata};
use tonic::{Request, Response, Status};

use super::{Context, id_fault};
use crate::domain::contact::{Contact, State};

/// What was said to customers.
pub struct Contacts(pub Context);

/// Where a page goes on: instant and id of the last contact told.
fn place(page_token: &str) -> Result<(i64, String), Problem> {
    let (created_us, contact_id) = match page_token {
        "" => return Ok((i64::MAX, String::new())),
        text => text.split_once(' ').unwrap_or((text, "")),
    };
    match created_us.parse() {
        Ok(created_us) => Ok((created_us, contact_id.to_owned())),
        Err(_) => Err(Problem::invalid_field("page_token", "is not a token of an earlier page")),
    }
}

fn told(contact: Contact, at: DateTime<Utc>) -> proto::Contact {
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
        let (size, after) = history::page(asked.page_size, &asked.page_token).map_err(Problem::invalid_fields)?;
        let (created_us, contact_id) = place(&after)?;
        let found = self.0.store.contacts(&tenant, &asked.customer_id, (created_us, &contact_id), i64::from(size) + 1);
        let (mut contacts, at) = found.await.map_err(|error| serve::store_status(&error))?;
        let size = usize::try_from(size).unwrap_or_default();
        let has_more = contacts.len() > size;
        contacts.truncate(size);
        let next_page_token = match contacts.last().filter(|_| has_more) {
            Some(last) => history::token(&format!("{} {}", last.created_at.timestamp_micros(), last.contact_id)),
            None => String::new(),
        };
        let contacts = contacts.into_iter().map(|contact| told(contact, at)).collect();
        Ok(Response::new(proto::ListContactsResponse { contacts, next_page_token }))
    }
}
