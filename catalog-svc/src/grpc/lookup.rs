//! LookupService: what a decision asks.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream::BoxStream};
use history::{HistoryError, Resource as _};
use proffer_proto::{
    catalog::v1::{self as proto, CustomerRecord, OutcomeType, lookup_service_server::LookupService},
    values::v1::ConfigurationChange,
};
use prost::Message as _;
use serve::{Problem, metadata};
use tonic::{Request, Response, Status};

use super::{
    Context, outcome_type, record, schema,
    status::{invalid_field, reference, refused},
};
use crate::domain::{outcome_type::SYSTEM_TYPES, record::customer_id_fault, schema::Schema};

/// Lookups for decisions.
pub struct Lookups(pub Context);

impl Lookups {
    /// The record; none for an unknown customer or schema, and for what can name neither.
    async fn record(
        &self,
        tenant: &str,
        request: &proto::LookupCustomerRequest,
    ) -> Result<Option<CustomerRecord>, Status> {
        let customer_id = &request.customer_id;
        if customer_id_fault(customer_id).is_some() {
            return Ok(None);
        }
        let Some(schema) = self.schema(tenant, &request.schema).await? else { return Ok(None) };
        let row = self.0.records.get(tenant, &schema.id, customer_id).await;
        let row = row.map_err(|error| serve::store_status(&error))?;
        Ok(row.map(|row| record::shown(&schema, row)))
    }

    /// The schema; none when nobody created it, and for what can name none.
    async fn schema(&self, tenant: &str, named: &str) -> Result<Option<Schema>, Status> {
        if reference("schema", named).is_err() {
            return Ok(None);
        }
        match self.0.schemas.get(tenant, named).await {
            Ok(found) => Ok(Some(schema::stored(&found))),
            Err(HistoryError::NotFound { .. }) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }
}

/// Customers of one lookup.
const BATCH_MAX: usize = 256;
/// Bytes of records in one answer; the last one may pass it.
const RECORDS_BYTES_MAX: usize = 3 * 1024 * 1024;

impl Lookups {
    /// The records of as many customers as fit, in order.
    async fn records(
        &self,
        tenant: &str,
        asked: &[proto::LookupCustomerRequest],
    ) -> Result<Vec<proto::CustomerLookup>, Status> {
        let mut schemas: BTreeMap<&str, Option<Schema>> = BTreeMap::new();
        for request in asked {
            if !schemas.contains_key(request.schema.as_str()) {
                schemas.insert(&request.schema, self.schema(tenant, &request.schema).await?);
            }
        }
        let schema_of = |request: &proto::LookupCustomerRequest| {
            let schema = schemas.get(request.schema.as_str())?.as_ref();
            schema.filter(|_| customer_id_fault(&request.customer_id).is_none())
        };
        let wanted: BTreeSet<(&str, &str)> = asked
            .iter()
            .filter_map(|request| Some((schema_of(request)?.id.as_str(), request.customer_id.as_str())))
            .collect();
        let wanted: Vec<_> = wanted.into_iter().collect();
        let rows = self.0.records.get_all(tenant, &wanted).await.map_err(|error| serve::store_status(&error))?;
        let (mut found, mut bytes) = (Vec::with_capacity(asked.len()), 0);
        for request in asked {
            if bytes > RECORDS_BYTES_MAX {
                break;
            }
            let record = schema_of(request).and_then(|schema| {
                let row = rows.get(&(schema.id.clone(), request.customer_id.clone()))?;
                bytes += row.payload.len();
                Some(record::shown(schema, row.clone()))
            });
            found.push(proto::CustomerLookup { record });
        }
        Ok(found)
    }
}

/// The system types as changes. They are in no log: they stand at revision 0, before everything a tenant wrote.
fn system_changes() -> Vec<ConfigurationChange> {
    let change = |of_type| {
        let resource: OutcomeType = outcome_type::system(of_type);
        ConfigurationChange {
            revision: 0,
            kind: OutcomeType::KIND.to_owned(),
            id: resource.key.clone(),
            deleted: false,
            name: resource.name.clone(),
            written_us: 0,
            resource: resource.encode_to_vec(),
        }
    };
    SYSTEM_TYPES.iter().map(change).collect()
}

#[tonic::async_trait]
impl LookupService for Lookups {
    type WatchCatalogStream = BoxStream<'static, Result<proto::WatchCatalogResponse, Status>>;

    async fn lookup_customer(
        &self,
        request: Request<proto::LookupCustomerRequest>,
    ) -> Result<Response<proto::LookupCustomerResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let head = async { self.0.history.head(&tenant).await.map_err(refused) };
        let (record, head_revision) = futures::try_join!(self.record(&tenant, &request), head)?;
        Ok(Response::new(proto::LookupCustomerResponse { record, head_revision }))
    }

    async fn batch_lookup_customers(
        &self,
        request: Request<proto::BatchLookupCustomersRequest>,
    ) -> Result<Response<proto::BatchLookupCustomersResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner().customers;
        if asked.len() > BATCH_MAX {
            return Err(Problem::limit("customers", asked.len(), BATCH_MAX).into());
        }
        let head = async { self.0.history.head(&tenant).await.map_err(refused) };
        let (customers, head_revision) = futures::try_join!(self.records(&tenant, &asked), head)?;
        Ok(Response::new(proto::BatchLookupCustomersResponse { customers, head_revision }))
    }

    async fn watch_catalog(
        &self,
        request: Request<proto::WatchCatalogRequest>,
    ) -> Result<Response<Self::WatchCatalogStream>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let after = request.into_inner().after_revision;
        if after < 0 {
            return Err(invalid_field("after_revision", format!("is {after}; it must be 0 or a revision seen")));
        }
        // Whoever knows nothing yet learns of the system types with the first page, which comes at once.
        let mut system = if after == 0 { system_changes() } else { Vec::new() };
        let pages = self.0.history.watch(tenant, after).map(move |page| {
            let (mut found, head_revision) = page.map_err(refused)?;
            let mut changes = std::mem::take(&mut system);
            changes.append(&mut found);
            Ok(proto::WatchCatalogResponse { changes, head_revision })
        });
        Ok(Response::new(pages.boxed()))
    }
}
