//! The services: parse, call, convert.

mod behavioral_metric;
mod category;
mod configuration;
mod creative;
mod import;
mod lookup;
mod offer;
mod outcome_type;
mod placement;
mod record;
mod reference;
mod resource;
mod rule;
mod schema;
mod status;
mod value;

use history::{Collection, History};
use proffer_proto::catalog::v1::{
    BehavioralMetric, Category, Creative, Offer, OutcomeType, Placement, Schema,
    behavioral_metric_service_server::BehavioralMetricServiceServer,
    category_service_server::CategoryServiceServer, creative_service_server::CreativeServiceServer,
    lookup_service_server::LookupServiceServer, offer_service_server::OfferServiceServer,
    outcome_type_service_server::OutcomeTypeServiceServer,
    placement_service_server::PlacementServiceServer, record_service_server::RecordServiceServer,
    schema_service_server::SchemaServiceServer,
};
use serve::Clock;
use tonic::service::Routes;

pub use self::lookup::Lookups;
use crate::store::Records;

/// Bytes of a request.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a batch of records.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes after which a page of a list ends, so that an answer stays far below its limit.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// What every service here works with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// Schemas.
    pub schemas: Collection<Schema>,
    /// Categories.
    pub categories: Collection<Category>,
    /// Offers.
    pub offers: Collection<Offer>,
    /// Custom outcome types.
    pub outcome_types: Collection<OutcomeType>,
    /// Behavioral metrics.
    pub metrics: Collection<BehavioralMetric>,
    /// Creatives.
    pub creatives: Collection<Creative>,
    /// Placements.
    pub placements: Collection<Placement>,
    /// Customer records.
    pub records: Records,
    /// The log all but the records are in.
    pub history: History,
    /// The time.
    pub clock: Clock,
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
}
