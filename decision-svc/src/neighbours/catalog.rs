//! Calls to catalog-svc: records, and the configuration of a snapshot.

use std::{collections::BTreeMap, sync::Arc};

use formula::Type;
use proffer_proto::{catalog::v1 as proto, values::v1::ConfigurationChange};
use tonic::Status;
use wire::{amount, output_type, purpose, reference, rule};

use super::{Lookup, call::call, instant};
use crate::domain::{
    metric::{Aggregate, Metric},
    scalar::Fields,
    schedule::{Mandate, Schedule},
    snapshot::{
        Catalog, Category, ComputedField, Creative, Offer, OutcomeType, Placement, Schema, Shared,
    },
};
use crate::messages::{is_active, scalar};

/// A customer as catalog-svc knows it now.
#[derive(Clone, Debug)]
pub struct KnownCustomer {
    /// The record; none for an unknown customer.
    pub record: Option<Fields>,
    /// Head of catalog-svc's log.
    pub head_revision: i64,
}

/// Reads one customer's record.
pub async fn customer(
    catalog: &Lookup,
    tenant: &str,
    customer_id: &str,
    schema: &str,
) -> Result<KnownCustomer, Status> {
    let request = proto::LookupCustomerRequest {
        customer_id: customer_id.to_owned(),
        schema: schema.to_owned(),
    };
    let method = "proffer.internal.catalog.v1.LookupService/LookupCustomer";
    let answer = call(method, tenant, request, |request| catalog.lookup_customer(request)).await?;
    let record = answer.record.map(|record| scalar::fields(&record.fields));
    Ok(KnownCustomer { record, head_revision: answer.head_revision })
}

/// Customers of one call.
const LOOKUPS_MAX: usize = 256;

/// Reads the records of several customers, (customer, schema), in their order. One is looked up
/// alone.
pub async fn customers(
    catalog: &Lookup,
    tenant: &str,
    wanted: &[(&str, &str)],
) -> Result<(Vec<Option<Fields>>, i64), Status> {
    if let [(customer_id, schema)] = wanted {
        let found = customer(catalog, tenant, customer_id, schema).await?;
        return Ok((vec![found.record], found.head_revision));
    }
    let (mut records, mut head) = (Vec::with_capacity(wanted.len()), 0);
    while let Some(rest) = wanted.get(records.len()..).filter(|rest| !rest.is_empty()) {
        let ask = |(customer_id, schema): &(&str, &str)| proto::LookupCustomerRequest {
            customer_id: (*customer_id).to_owned(),
            schema: (*schema).to_owned(),
        };
        let request = proto::BatchLookupCustomersRequest {
            customers: rest.iter().take(LOOKUPS_MAX).map(ask).collect(),
        };
        let method = "proffer.internal.catalog.v1.LookupService/BatchLookupCustomers";
        let ask = |request| catalog.batch_lookup_customers(request);
        let answer = call(method, tenant, request, ask).await?;
        if answer.customers.is_empty() {
            return Err(serve::internal(&"catalog-svc looked nobody up"));
        }
        head = head.max(answer.head_revision);
        let found = answer.customers.into_iter().take(rest.len());
        records
            .extend(found.map(|found| found.record.map(|record| scalar::fields(&record.fields))));
    }
    Ok((records, head))
}

/// Applies one change; kinds this service does not use are passed over.
pub fn apply(catalog: &mut Catalog, change: &ConfigurationChange) {
    match change.kind.as_str() {
        "offer" => share(&mut catalog.offers, change, offer),
        "category" => put(&mut catalog.categories, change, category),
        "schema" => put(&mut catalog.schemas, change, schema),
        "outcome_type" => put(&mut catalog.outcome_types, change, outcome_type),
        "creative" => share(&mut catalog.creatives, change, creative),
        "placement" => put(&mut catalog.placements, change, placement),
        "behavioral_metric" => put(&mut catalog.metrics, change, metric),
        _ => {}
    }
}

/// Puts the resource of a change in its place, or takes it away.
fn put<M: prost::Message + Default, T>(
    all: &mut BTreeMap<String, T>,
    change: &ConfigurationChange,
    read: fn(String, M) -> T,
) {
    if change.deleted {
        all.remove(&change.id);
    } else if let Ok(found) = M::decode(change.resource.as_slice()) {
        all.insert(change.id.clone(), read(change.id.clone(), found));
    }
}

/// The same among those that revisions share.
fn share<M: prost::Message + Default, T>(
    all: &mut Shared<T>,
    change: &ConfigurationChange,
    read: fn(String, M) -> T,
) {
    if change.deleted {
        all.remove_mut(change.id.as_str());
    } else if let Ok(found) = M::decode(change.resource.as_slice()) {
        all.insert_mut(change.id.as_str().into(), Arc::new(read(change.id.clone(), found)));
    }
}

fn offer(id: String, found: proto::Offer) -> Offer {
    let affinity = |affinity: &proto::Affinity| {
        let value = scalar::parse(&affinity.value.clone().unwrap_or_default()).ok()??;
        Some((affinity.field.clone(), value))
    };
    let cost = found.cost.as_ref().and_then(|value| amount::read(value, 0..=i64::MAX).ok()?);
    Offer {
        id,
        // Checked when it was written.
        cost_e4: cost.unwrap_or_default(),
        is_active: is_active(found.status),
        affinities: found.affinities.iter().filter_map(affinity).collect(),
        rules: found.qualification_rules.iter().map(rule::stored).collect(),
        custom_fields: scalar::fields(&found.custom_fields),
        schedule: found.schedule.map(schedule).unwrap_or_default(),
        mandate: found.mandatory.and_then(mandate),
        name: found.name,
        category_id: reference::bound(&found.references, "category", &found.category)
            .unwrap_or_default()
            .to_owned(),
        category: found.category,
        subcategory: found.subcategory,
        priority: found.priority.unwrap_or(50.0),
        business_value: found.business_value.unwrap_or_default(),
        margin: found.margin,
        purpose: purpose::or_default(found.purpose),
    }
}

fn schedule(found: proto::Schedule) -> Schedule {
    Schedule { starts_at: instant(found.starts_at), ends_at: instant(found.ends_at) }
}

/// One without an end was refused where it was written.
fn mandate(found: proto::Mandate) -> Option<Mandate> {
    Some(Mandate { reason: found.reason, expires_at: instant(found.expires_at)? })
}

fn creative(id: String, found: proto::Creative) -> Creative {
    let meant = |kind: &str, named: &str| reference::meant(&found.references, kind, named);
    Creative {
        id,
        is_active: is_active(found.status),
        content: scalar::fields(&found.content),
        weight: found.weight.unwrap_or(100.0),
        name: found.name,
        offer: meant("offer", &found.offer),
        channel: meant("channel", &found.channel),
        placement: meant("placement", &found.placement),
        placement_named: found.placement,
    }
}

fn placement(id: String, found: proto::Placement) -> Placement {
    Placement { id, is_active: is_active(found.status), name: found.name }
}

fn metric(key: String, found: proto::BehavioralMetric) -> Metric {
    let aggregate = match found.aggregate() {
        proto::MetricAggregate::Sum => Aggregate::Sum,
        proto::MetricAggregate::Last => Aggregate::Last,
        proto::MetricAggregate::Count | proto::MetricAggregate::Unspecified => Aggregate::Count,
    };
    let (is_active, window_days) = (is_active(found.status), found.window_days);
    Metric { key, outcome: found.outcome, aggregate, window_days, is_active }
}

fn category(id: String, found: proto::Category) -> Category {
    let computed = |field: proto::ComputedField| {
        let output = output_type::parse(field.output_type).flatten();
        ComputedField { name: field.name, formula: field.formula, output }
    };
    let is_active = is_active(found.status);
    Category {
        id,
        name: found.name,
        computed_fields: found.computed_fields.into_iter().map(computed).collect(),
        is_active,
    }
}

fn schema(id: String, found: proto::Schema) -> Schema {
    let typed = |field: &proto::SchemaField| {
        let of_type = match field.r#type() {
            proto::FieldType::Unspecified => return None,
            proto::FieldType::String => Type::String,
            proto::FieldType::Integer | proto::FieldType::Decimal => Type::Number,
            proto::FieldType::Boolean => Type::Boolean,
            proto::FieldType::Date => Type::Date,
            proto::FieldType::Timestamp => Type::Timestamp,
        };
        Some((field.name.clone(), of_type))
    };
    let fields: BTreeMap<_, _> = found.fields.iter().filter_map(typed).collect();
    let private = found.fields.iter().filter(|field| field.is_pii);
    let private = private.map(|field| field.name.clone()).collect();
    Schema { id, name: found.name, fields, private }
}

fn outcome_type(key: String, found: proto::OutcomeType) -> OutcomeType {
    let is_impression = found.category() == proto::OutcomeCategory::Impression;
    OutcomeType {
        is_system: found.is_system,
        is_positive: found.classification() == proto::Classification::Positive,
        counts_as_contact: found.counts_as_contact.unwrap_or(is_impression && key != "expired"),
        is_impression,
        is_response: found.category() == proto::OutcomeCategory::Response,
        key,
    }
}
