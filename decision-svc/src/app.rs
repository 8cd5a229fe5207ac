//! The service put together; binds nothing, spawns only what its store needs.

use std::{sync::Arc, time::Duration};

use database::{Database, Location, PoolSizes};
use history::{AtHead, Collection, History};
use proffer_proto::decision::v1::{
    decision_flow_service_server::DecisionFlowServiceServer,
    decision_service_server::DecisionServiceServer, model_service_server::ModelServiceServer,
    outcome_service_server::OutcomeServiceServer,
    weight_profile_service_server::WeightProfileServiceServer,
};
use serve::{Clock, Readiness, Task, metadata::DEFAULT_TENANT};
use tonic::service::Routes;

use crate::{
    compiled_flows::{CompiledFlows, PastFlows},
    grpc::{
        ANSWER_BYTES_MAX, BULK_BYTES_MAX, Context, REQUEST_BYTES_MAX, decision::Decisions,
        decision_flow::DecisionFlows, model::Models, outcome::Outcomes,
        weight_profile::WeightProfiles,
    },
    neighbours::{Neighbours, follow::Followers, past::PastCatalogs},
    receipt::Receipts,
    relay,
    store::{self, Store},
};

/// What the service needs from its process.
pub struct Deps {
    /// The time.
    pub clock: Clock,
    /// The services it calls.
    pub neighbours: Neighbours,
    /// How long a decision waits for configuration that it knows to be newer than its own.
    pub snapshot_wait_max: Duration,
}

/// decision-svc.
pub struct App {
    context: Context,
    readiness: Readiness,
}

impl App {
    /// Full names of its services.
    pub const SERVICES: &'static [&'static str] = &[
        "proffer.decision.v1.DecisionFlowService",
        "proffer.decision.v1.WeightProfileService",
        "proffer.decision.v1.ModelService",
        "proffer.decision.v1.DecisionService",
        "proffer.decision.v1.OutcomeService",
    ];

    /// Opens the store and puts the service together.
    pub async fn build(location: &Location, deps: Deps) -> anyhow::Result<Self> {
        let migrations = [history::migrations(), store::migrations()];
        let database =
            Database::open(location, "decision", PoolSizes::default(), &migrations).await?;
        let history = History::new(database.clone());
        let context = Context {
            store: Store::new(database),
            flows: Collection::new(history.clone()),
            weight_profiles: Collection::new(history.clone()),
            models: Collection::new(history.clone()),
            history,
            followers: Followers::new(deps.neighbours.clone()),
            neighbours: deps.neighbours,
            receipts: Receipts::new(deps.clock.clone()),
            clock: deps.clock,
            snapshot_wait_max: deps.snapshot_wait_max,
            whole_flows: AtHead::default(),
            compiled: CompiledFlows::default(),
            compiled_past: PastFlows::default(),
            past: PastCatalogs::default(),
            bell: Arc::default(),
        };
        Ok(Self { context, readiness: Readiness::default() })
    }

    /// Its gRPC services.
    pub fn routes(&self) -> Routes {
        let context = || self.context.clone();
        let flows = DecisionFlowServiceServer::new(DecisionFlows(context()))
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let weight_profiles = WeightProfileServiceServer::new(WeightProfiles(context()))
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let models = ModelServiceServer::new(Models(context()))
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let decisions = DecisionServiceServer::new(Decisions(context()))
            .max_decoding_message_size(BULK_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let outcomes = OutcomeServiceServer::new(Outcomes(context()))
            .max_decoding_message_size(BULK_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        Routes::new(flows)
            .add_service(weight_profiles)
            .add_service(models)
            .add_service(decisions)
            .add_service(outcomes)
    }

    /// Work beside the listener: the relay, and readiness once every neighbour has been heard of.
    pub fn tasks(&self) -> Vec<Task> {
        let (context, readiness) = (self.context.clone(), self.readiness.clone());
        let watching = async move {
            let Some(mut follower) = context.followers.of(DEFAULT_TENANT).await else { return };
            while follower.wait_for(|snapshot| snapshot.is_complete()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            readiness.set(true);
        };
        vec![Box::pin(relay::relay(self.context.clone())), Box::pin(watching)]
    }

    /// Whether it may be sent work.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }
}
