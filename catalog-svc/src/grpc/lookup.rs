//! LookupService: what a decision asks.

use futures::{StreamExt as _, stream::BoxStream};
use history::{HistoryError, Resource as _};
use proffer_proto::{
    catalog::v1::{self as proto, CustomerRecord, OutcomeType, lookup_service_server::LookupService},
    values::v1::ConfigurationChange,
};
use prost::Message as _;
use serve::metadata;
use tonic::{Request, Response, Status};

use super::{
    Context, outcome_type, record, schema,
    status::{invalid_field, reference, refused},
};
use crate::domain::{outcome_type::SYSTEM_TYPES, record::customer_id_fault};

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
        if customer_id_fault(customer_id).is_some() || reference("schema", &request.schema).is_err() {
            return Ok(None);
        }
        let schema = match self.0.schemas.get(tenant, &request.schema).await {
            Ok(found) => schema::stored(&found),
            Err(HistoryError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(refused(error)),
        };
        let row = self.0.records.get(tenant, &schema.id, customer_id).await;
        let row = row.map_err(|error| serve::store_status(&error))?;
        Ok(row.map(|row| record::shown(&schema, row)))
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
