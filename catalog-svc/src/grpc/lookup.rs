//! LookupService: the records and configuration that decision-svc reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt as _, stream::BoxStream};
use history::{AtHead, Heartbeat, Resource as _, ServiceContext as _};
use proffer_proto::{
    catalog::v1::{
        self as proto, CustomerRecord, OutcomeType, lookup_service_server::LookupService,
    },
    values::v1::ConfigurationChange,
};
use prost::Message as _;
use serve::{Problem, metadata};
use tonic::{Request, Response, Status};

use super::{Context, outcome_type, parse, stored_record};
use crate::domain::{outcome_type::SYSTEM_TYPES, schema::Schema};

/// Lookups for decisions.
pub struct Lookups {
    context: Context,
    /// Schemas as last read.
    schemas: AtHead<Schema>,
}

/// Customers of one lookup.
const BATCH_MAX: usize = 256;
/// Bytes of records in one answer; the last one may pass it.
const RECORDS_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Schemas by the names in a request; names of no schema are left out.
type Schemas<'a> = BTreeMap<&'a str, Arc<Schema>>;

impl Lookups {
    /// Lookups that read no schema again before something is written.
    pub fn new(context: Context) -> Self {
        Self { context, schemas: AtHead::default() }
    }

    /// The records of as many customers as fit, in order, and the head of the log. None for an
    /// unknown customer or schema, and for what can name neither.
    async fn records(
        &self,
        tenant: &str,
        asked: &[proto::LookupCustomerRequest],
    ) -> Result<(Vec<Option<CustomerRecord>>, i64), Status> {
        let names: BTreeSet<&str> = asked.iter().map(|request| request.schema.as_str()).collect();
        if let Some((then, schemas)) = self.at_hand(tenant, &names) {
            let (records, head) = self.under(&schemas, tenant, asked).await?;
            if head == then {
                return Ok((records, head));
            }
        }
        let schemas = self.newest(tenant, &names).await?;
        self.under(&schemas, tenant, asked).await
    }

    /// The records under these schemas, and the head of the log.
    async fn under(
        &self,
        schemas: &Schemas<'_>,
        tenant: &str,
        asked: &[proto::LookupCustomerRequest],
    ) -> Result<(Vec<Option<CustomerRecord>>, i64), Status> {
        let schema_of = |request: &proto::LookupCustomerRequest| {
            schemas
                .get(request.schema.as_str())
                .filter(|_| wire::text::id_fault(&request.customer_id).is_none())
        };
        let wanted: BTreeSet<(&str, &str)> = asked
            .iter()
            .filter_map(|request| {
                Some((schema_of(request)?.id.as_str(), request.customer_id.as_str()))
            })
            .collect();
        let wanted: Vec<_> = wanted.into_iter().collect();
        let found = self.context.records.get_all(tenant, &wanted).await;
        let (rows, head) = found.map_err(|error| serve::store_status(&error))?;
        let (mut found, mut bytes) = (Vec::with_capacity(asked.len()), 0);
        for request in asked {
            if bytes > RECORDS_BYTES_MAX {
                break;
            }
            found.push(schema_of(request).and_then(|schema| {
                let row = rows.get(&(schema.id.clone(), request.customer_id.clone()))?;
                bytes += row.payload.len();
                Some(stored_record::shown(schema, row.clone()))
            }));
        }
        Ok((found, head))
    }

    /// The schemas as last read, when all were read at the same head.
    fn at_hand<'a>(&self, tenant: &str, names: &BTreeSet<&'a str>) -> Option<(i64, Schemas<'a>)> {
        let (mut schemas, mut at) = (Schemas::new(), None);
        for name in names {
            let (head, schema) = self.schemas.last(tenant, name)?;
            if *at.get_or_insert(head) != head {
                return None;
            }
            schemas.insert(name, schema);
        }
        Some((at?, schemas))
    }

    async fn newest<'a>(
        &self,
        tenant: &str,
        names: &BTreeSet<&'a str>,
    ) -> Result<Schemas<'a>, Status> {
        let head = self.context.history.head(tenant).await?;
        let mut schemas = Schemas::new();
        for name in names {
            if let Some(schema) = self.schema(tenant, name).await? {
                schemas.insert(name, self.schemas.keep(tenant, name, head, schema));
            }
        }
        Ok(schemas)
    }

    /// The schema of this id or name, if there is one.
    async fn schema(&self, tenant: &str, named: &str) -> Result<Option<Schema>, Status> {
        let found = self.context.stored::<proto::Schema>().find(tenant, named).await?;
        Ok(found.as_ref().map(parse::schema))
    }
}

/// The system types as changes. No log has them: their revision is 0, before the first write of a
/// tenant.
pub(super) fn system_changes() -> Vec<ConfigurationChange> {
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
        let (records, head_revision) = self.records(&tenant, &[request.into_inner()]).await?;
        let record = records.into_iter().next().flatten();
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
        let (records, head_revision) = self.records(&tenant, &asked).await?;
        let customers =
            records.into_iter().map(|record| proto::CustomerLookup { record }).collect();
        Ok(Response::new(proto::BatchLookupCustomersResponse { customers, head_revision }))
    }

    async fn watch_catalog(
        &self,
        request: Request<proto::WatchCatalogRequest>,
    ) -> Result<Response<Self::WatchCatalogStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let after = request.after_revision;
        // A caller that knows nothing yet gets the system types with the first page, which comes at
        // once.
        let mut system = if after == 0 { system_changes() } else { Vec::new() };
        let pages =
            self.context.history.watch_call(&metadata, after, Heartbeat::None)?.map(move |page| {
                let (mut found, head_revision) = page?;
                let mut changes = std::mem::take(&mut system);
                changes.append(&mut found);
                Ok(proto::WatchCatalogResponse { changes, head_revision })
            });
        Ok(Response::new(pages.boxed()))
    }
}
