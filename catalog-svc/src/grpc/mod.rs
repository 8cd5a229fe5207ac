//! The gRPC services: each parses a request, calls the domain or the store, and prints the answer.
//! This file has the context that they share and the limits of message sizes.

mod behavioral_metric;
mod catalogue;
mod category;
mod creative;
mod import;
mod lookup;
mod offer;
mod outcome_type;
mod parse;
mod placement;
mod record;
mod schema;
mod status;
mod stored_record;
mod value;

use std::time::Duration;

use history::{History, LogServer, ServiceContext};
use proffer_proto::catalog::v1::{
    behavioral_metric_service_server::BehavioralMetricServiceServer,
    category_service_server::CategoryServiceServer, creative_service_server::CreativeServiceServer,
    lookup_service_server::LookupServiceServer, offer_service_server::OfferServiceServer,
    outcome_type_service_server::OutcomeTypeServiceServer,
    placement_service_server::PlacementServiceServer, record_service_server::RecordServiceServer,
    schema_service_server::SchemaServiceServer,
};
use serve::Clock;
use tonic::{Status, service::Routes};

pub use self::{import::IDLE_MAX as IMPORT_IDLE_MAX, lookup::Lookups};
use crate::{names::KnownNames, store::Records};

/// Bytes of a request.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a batch of records.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What every service here works with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// Customers' records.
    pub records: Records,
    /// The log, which holds everything but the records.
    pub history: History,
    /// What references are resolved against.
    pub(crate) known: KnownNames,
    /// Where instants come from.
    pub clock: Clock,
    /// Longest wait for the next piece of a file.
    pub import_idle_max: Duration,
    /// How much a tenant may configure.
    pub limits: crate::LimitSettings,
    /// Turns of the threads that read files.
    pub import_turns: crate::import::Turns,
}

impl ServiceContext for Context {
    fn history(&self) -> &History {
        &self.history
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// Runs a check of everything against everything on a thread for blocking work, so that it delays
/// no other call.
async fn blocking<T: Send + 'static>(
    check: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    tokio::task::spawn_blocking(check).await.map_err(|error| serve::internal(&error))
}

/// The log with the outcome types that every tenant has.
pub fn log(history: &History) -> LogServer {
    LogServer::new(history.clone(), lookup::system_changes)
}

/// The services, with every message size limited.
pub fn routes(context: &Context) -> Routes {
    macro_rules! limited {
        ($server:ident($service:expr), $request_bytes_max:expr) => {
            $server::new($service)
                .max_decoding_message_size($request_bytes_max)
                .max_encoding_message_size(ANSWER_BYTES_MAX)
        };
    }
    Routes::builder()
        .routes()
        .add_service(limited!(
            SchemaServiceServer(schema::Schemas(context.clone())),
            REQUEST_BYTES_MAX
        ))
        .add_service(limited!(
            RecordServiceServer(record::CustomerRecords(context.clone())),
            BATCH_BYTES_MAX
        ))
        .add_service(limited!(
            CategoryServiceServer(category::Categories(context.clone())),
            REQUEST_BYTES_MAX
        ))
        .add_service(limited!(
            OfferServiceServer(offer::Offers(context.clone())),
            REQUEST_BYTES_MAX
        ))
        .add_service(limited!(
            OutcomeTypeServiceServer(outcome_type::OutcomeTypes(context.clone())),
            REQUEST_BYTES_MAX
        ))
        .add_service(limited!(
            BehavioralMetricServiceServer(behavioral_metric::BehavioralMetrics(context.clone())),
            REQUEST_BYTES_MAX
        ))
        .add_service(limited!(
            CreativeServiceServer(creative::Creatives(context.clone())),
            REQUEST_BYTES_MAX
        ))
        .add_service(limited!(
            PlacementServiceServer(placement::Placements(context.clone())),
            REQUEST_BYTES_MAX
        ))
        .add_service(limited!(
            LookupServiceServer(lookup::Lookups::new(context.clone())),
            REQUEST_BYTES_MAX
        ))
        .add_service(log(&context.history).served())
}
