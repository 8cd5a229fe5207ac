//! Calls to other services: proto messages on the wire, domain values for the rest of the crate.

mod call;
pub mod catalog;
pub mod experiment;
pub mod follow;
pub mod past;
pub mod policy;
mod remote;

use std::sync::Arc;

use futures::stream::BoxStream;
use proffer_proto::{
    catalog::v1::{WatchCatalogResponse, lookup_service_server::LookupService},
    experiment::v1::{WatchExperimentsResponse, ledger_service_server::LedgerService},
    policy::v1::{
        GetChannelRequest, GetChannelResponse, WatchPolicyResponse,
        channel_service_server::ChannelService, contact_gate_service_server::ContactGateService,
    },
};
use serve::{NeighbourError, Replicas};
use tonic::{Request, Response, Status};
use wire::instant::stored as instant;

use self::remote::Remote;

/// Pages without end.
type Pages<T> = BoxStream<'static, Result<T, Status>>;
/// What decision-svc asks catalog-svc.
pub type Lookup = dyn LookupService<WatchCatalogStream = Pages<WatchCatalogResponse>>;
/// What it asks policy-svc about contacts.
pub type Gate = dyn ContactGateService<WatchPolicyStream = Pages<WatchPolicyResponse>>;
/// What it asks policy-svc about channels.
#[tonic::async_trait]
pub trait Channels: Send + Sync {
    /// The channel of an id or name.
    async fn channel(
        &self,
        request: Request<GetChannelRequest>,
    ) -> Result<Response<GetChannelResponse>, Status>;
}

#[tonic::async_trait]
impl<T: ChannelService> Channels for T {
    async fn channel(
        &self,
        request: Request<GetChannelRequest>,
    ) -> Result<Response<GetChannelResponse>, Status> {
        self.get_channel(request).await
    }
}

/// What it sends to experiment-svc.
pub type Ledger = dyn LedgerService<WatchExperimentsStream = Pages<WatchExperimentsResponse>>;

/// The services decision-svc calls: each is the service itself when it runs in this process, and a
/// client of it otherwise. Callers do not see which.
#[derive(Clone)]
pub struct Neighbours {
    /// catalog-svc.
    pub catalog: Arc<Lookup>,
    /// policy-svc: the gate.
    pub gate: Arc<Gate>,
    /// policy-svc: channels.
    pub channels: Arc<dyn Channels>,
    /// experiment-svc.
    pub experiment: Arc<Ledger>,
}

impl Neighbours {
    /// The services at these addresses, for example `http://catalog:7101`, or several separated by
    /// commas.
    pub fn remote(
        catalog_url: &str,
        policy_url: &str,
        experiment_url: &str,
    ) -> Result<Self, NeighbourError> {
        let policy = Replicas::new(policy_url)?;
        Ok(Self {
            catalog: Arc::new(Remote::catalog(Replicas::new(catalog_url)?)),
            gate: Arc::new(Remote::gate(policy.clone())),
            channels: Arc::new(Remote::channels(policy)),
            experiment: Arc::new(Remote::ledger(Replicas::new(experiment_url)?)),
        })
    }
}
