//! Follows the contacts in policy-svc's ledger, tenant by tenant.

use std::{collections::BTreeSet, time::Duration};

use proffer_proto::policy::v1::{
    ContactEntry, WatchContactsRequest, contact_ledger_service_client::ContactLedgerServiceClient,
};
use serve::Neighbour;
use tokio::task::JoinSet;
use tonic::Status;
use wire::instant::parse as instant;

use crate::{
    grpc::Context,
    store::{NewContact, Store},
};

/// How often it is looked for tenants that have become known.
const TENANTS_INTERVAL: Duration = Duration::from_secs(2);
/// How long a follower that was cut off waits.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Follows the contacts of all tenants that have experiments, for ever.
pub async fn follow(context: Context, policy: Neighbour) {
    let (mut known, mut followers) = (BTreeSet::new(), JoinSet::new());
    let mut tick = tokio::time::interval(TENANTS_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Ok(tenants) = context.history.tenants().await else { continue };
        for tenant in tenants.into_iter().filter(|tenant| known.insert(tenant.clone())) {
            let (store, policy) = (context.store.clone(), policy.clone());
            followers.spawn(async move {
                loop {
                    if let Err(error) = follow_once(&store, &policy, &tenant).await {
                        tracing::debug!(tenant, code = ?error.code(), "contacts are not followed");
                    }
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
            });
        }
    }
}

/// Stores the contacts of one tenant after those that are stored, until policy-svc ends the stream.
pub async fn follow_once(store: &Store, policy: &Neighbour, tenant: &str) -> Result<(), Status> {
    let status = |error| serve::store_status(&error);
    let after_position = store.contact_position(tenant).await.map_err(status)?;
    let request = serve::metadata::request(tenant, WatchContactsRequest { after_position });
    let mut client = ContactLedgerServiceClient::new(policy.clone());
    let mut pages = client.watch_contacts(request).await?.into_inner();
    while let Some(page) = pages.message().await? {
        // While nothing happens an empty page comes each second.
        if page.contacts.is_empty() {
            continue;
        }
        let contacts: Vec<NewContact> = page.contacts.into_iter().filter_map(contact).collect();
        store.put_contacts(tenant, &contacts, page.position).await.map_err(status)?;
    }
    Ok(())
}

/// A contact without an instant, which policy-svc never sends, belongs to no experiment.
fn contact(entry: ContactEntry) -> Option<NewContact> {
    let happened_at = instant(&entry.happened_at?).ok()?;
    Some(NewContact {
        customer_id: entry.customer_id,
        contact_id: entry.contact_id,
        decision_id: entry.decision_id,
        rank: entry.rank.into(),
        offer_id: entry.offer_id,
        category_id: entry.category_id,
        flow_id: entry.flow_id,
        channel_id: entry.channel_id,
        cost_e4: entry.cost_ten_thousandths,
        happened_us: happened_at.timestamp_micros(),
        is_unreserved: entry.unreserved,
    })
}
