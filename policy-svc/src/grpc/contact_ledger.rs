//! ContactLedgerService: shows contacts to services that count them.

use futures::{StreamExt as _, stream::BoxStream};
use proffer_proto::policy::v1::{
    self as proto, contact_ledger_service_server::ContactLedgerService,
};
use serve::{Problem, metadata};
use tonic::{Request, Response, Status};

use super::Context;
use crate::{feed, store::Fed};

/// The contacts that happened.
pub struct ContactLedger(pub Context);

fn printed(fed: Fed) -> proto::ContactEntry {
    let Fed { customer_id, position, happened_at, contact } = fed;
    // A category that nobody created goes by its name.
    let category_id = match contact.offer.category_id.as_str() {
        "" => contact.offer.category,
        _ => contact.offer.category_id,
    };
    proto::ContactEntry {
        contact_id: contact.contact_id,
        position,
        customer_id,
        decision_id: contact.decision_id,
        rank: i32::try_from(contact.rank).unwrap_or(i32::MAX),
        offer_id: contact.offer.offer_id,
        category_id,
        flow_id: contact.flow_id,
        channel_id: contact.channel.id,
        cost_ten_thousandths: contact.offer.cost,
        happened_at: Some(history::timestamp(happened_at)),
        unreserved: contact.is_unreserved,
    }
}

#[tonic::async_trait]
impl ContactLedgerService for ContactLedger {
    type WatchContactsStream = BoxStream<'static, Result<proto::WatchContactsResponse, Status>>;

    async fn watch_contacts(
        &self,
        request: Request<proto::WatchContactsRequest>,
    ) -> Result<Response<Self::WatchContactsStream>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let after = request.into_inner().after_position;
        if after < 0 {
            let message = format!("is {after}; it must be 0 or more");
            return Err(Problem::invalid_field("after_position", message).into());
        }
        let pages = feed::watch(self.0.store.clone(), tenant, after).map(|page| {
            let (contacts, position) = page.map_err(|error| serve::store_status(&error))?;
            let contacts = contacts.into_iter().map(printed).collect();
            Ok(proto::WatchContactsResponse { contacts, position })
        });
        Ok(Response::new(pages.boxed()))
    }
}
