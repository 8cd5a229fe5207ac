//! Clients of neighbors in other processes. They implement the same traits as the services.

use futures::StreamExt as _;
use proffer_proto::{
    catalog::v1::{
        self as catalog, lookup_service_client::LookupServiceClient,
        lookup_service_server::LookupService,
    },
    experiment::v1::{
        self as experiment, ledger_service_client::LedgerServiceClient,
        ledger_service_server::LedgerService,
    },
    policy::v1::{
        self as policy, channel_service_client::ChannelServiceClient,
        contact_gate_service_client::ContactGateServiceClient,
        contact_gate_service_server::ContactGateService,
    },
};
use serve::Replicas;
use tonic::{Request, Response, Status};

use super::{Channels, Pages};

/// Largest message, in bytes.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A service called by a client of it.
pub(super) struct Remote<C>(C);

macro_rules! remote {
    ($package:ident.$service:ident by $client:ident $made:ident {
        $($method:ident($request:ident) -> $response:ident;)+
        $(.. $watch:ident($asked:ident) -> $pages:ident of $page:ident;)?
    }) => {
        impl Remote<$client<Replicas>> {
            /// The service at the other end.
            pub fn $made(replicas: Replicas) -> Self {
                let client = $client::new(replicas).max_decoding_message_size(MESSAGE_BYTES_MAX);
                Self(client.max_encoding_message_size(MESSAGE_BYTES_MAX))
            }
        }

        #[tonic::async_trait]
        impl $service for Remote<$client<Replicas>> {
            $(async fn $method(
                &self,
                request: Request<$package::$request>,
            ) -> Result<Response<$package::$response>, Status> {
                self.0.clone().$method(request).await
            })+

            $(type $pages = Pages<$package::$page>;

            async fn $watch(
                &self,
                request: Request<$package::$asked>,
            ) -> Result<Response<Self::$pages>, Status> {
                Ok(self.0.clone().$watch(request).await?.map(|pages| pages.boxed()))
            })?
        }
    };
}

remote! {
    catalog.LookupService by LookupServiceClient catalog {
        lookup_customer(LookupCustomerRequest) -> LookupCustomerResponse;
        batch_lookup_customers(BatchLookupCustomersRequest) -> BatchLookupCustomersResponse;
        .. watch_catalog(WatchCatalogRequest) -> WatchCatalogStream of WatchCatalogResponse;
    }
}

remote! {
    policy.ContactGateService by ContactGateServiceClient gate {
        reserve(ReserveRequest) -> ReserveResponse;
        batch_reserve(BatchReserveRequest) -> BatchReserveResponse;
        check(CheckRequest) -> CheckResponse;
        evaluate_facts(EvaluateFactsRequest) -> EvaluateFactsResponse;
        commit_contact(CommitContactRequest) -> CommitContactResponse;
        release_contact(ReleaseContactRequest) -> ReleaseContactResponse;
        deliver_outcomes(DeliverOutcomesRequest) -> DeliverOutcomesResponse;
        get_policy_head(GetPolicyHeadRequest) -> GetPolicyHeadResponse;
        .. watch_policy(WatchPolicyRequest) -> WatchPolicyStream of WatchPolicyResponse;
    }
}

impl Remote<ChannelServiceClient<Replicas>> {
    /// The service at the other end.
    pub fn channels(replicas: Replicas) -> Self {
        Self(ChannelServiceClient::new(replicas))
    }
}

#[tonic::async_trait]
impl Channels for Remote<ChannelServiceClient<Replicas>> {
    async fn channel(
        &self,
        request: Request<policy::GetChannelRequest>,
    ) -> Result<Response<policy::GetChannelResponse>, Status> {
        self.0.clone().get_channel(request).await
    }
}

remote! {
    experiment.LedgerService by LedgerServiceClient ledger {
        deliver_entries(DeliverEntriesRequest) -> DeliverEntriesResponse;
        .. watch_experiments(WatchExperimentsRequest)
            -> WatchExperimentsStream of WatchExperimentsResponse;
    }
}
