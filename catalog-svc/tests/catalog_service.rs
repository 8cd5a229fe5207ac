//! catalog-svc through its generated clients, on both stores.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, and says where"
)]

#[path = "catalog_service/behavioral_metric.rs"]
mod behavioral_metric;
#[path = "catalog_service/category.rs"]
mod category;
#[path = "catalog_service/creative.rs"]
mod creative;
#[path = "catalog_service/import.rs"]
mod import;
#[path = "catalog_service/lookup.rs"]
mod lookup;
#[path = "catalog_service/offer.rs"]
mod offer;
#[path = "catalog_service/offer_times.rs"]
mod offer_times;
#[path = "catalog_service/outcome_type.rs"]
mod outcome_type;
#[path = "catalog_service/placement.rs"]
mod placement;
#[path = "catalog_service/record.rs"]
mod record;
#[path = "catalog_service/record_batch.rs"]
mod record_batch;
#[path = "catalog_service/resource.rs"]
mod resource;
#[path = "catalog_service/schema.rs"]
mod schema;
#[path = "catalog_service/seed.rs"]
mod seed;
#[path = "catalog_service/support.rs"]
mod support;
