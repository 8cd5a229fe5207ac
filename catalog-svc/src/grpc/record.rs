//! RecordService: writes, reads, lists and imports customer records.

use database::DatabaseError;
use history::{Listing, PAGE_BYTES_MAX, ServiceContext as _};
use proffer_proto::catalog::v1::{
    self as proto, CustomerRecord, record_service_server::RecordService,
};
use serve::{Problem, metadata};
use tonic::{Request, Response, Status, Streaming};

use super::{
    Context, import, parse,
    status::clipped,
    stored_record::{merged, shown, store_error, whole},
    value::given,
};
use crate::{
    domain::{
        Faults,
        name::{Hints, quoted},
        record::{
            BATCH_MAX, Changes, ROW_FAULTS_MAX, Row, parse as parse_record, refuse,
            refuse_unfit_customers,
        },
        schema::Schema,
    },
    store::NewRecord,
};

/// Rows of a list read at once.
const READ_ROWS: usize = 100;

/// The records of a tenant.
pub struct CustomerRecords(pub Context);

/// Why a record was not changed.
enum Unchanged {
    TooLarge(String),
    Store(DatabaseError),
}

impl From<DatabaseError> for Unchanged {
    fn from(error: DatabaseError) -> Self {
        Self::Store(error)
    }
}

impl From<Unchanged> for Status {
    fn from(unchanged: Unchanged) -> Self {
        match unchanged {
            Unchanged::TooLarge(message) => Problem::invalid_field("record", message).into(),
            Unchanged::Store(error) => serve::store_status(&error),
        }
    }
}

fn row(schema: &Schema, record: &CustomerRecord, hints: &mut Hints) -> Row {
    let given = record.fields.iter().map(|(name, value)| (name.as_str(), given(value)));
    parse_record(schema, given, hints)
}

/// The values of a record and its customer, or all faults.
fn read(schema: &Schema, record: Option<CustomerRecord>) -> Result<(String, Changes), Status> {
    let record = record.ok_or_else(|| Problem::invalid_field("record", "is required"))?;
    let mut faults = Faults::new();
    if let Some(message) = wire::text::id_fault(&record.customer_id) {
        faults.push(("record.customer_id".to_owned(), message));
    }
    match row(schema, &record, &mut Hints::default()) {
        Ok(changes) if faults.is_empty() => return Ok((record.customer_id, changes)),
        Ok(_) => {}
        Err(found) => faults.extend(found.into_iter().map(|(name, text)| match name.as_str() {
            "" => ("record.fields".to_owned(), text),
            name => (format!("record.fields.{name}"), text),
        })),
    }
    Err(Problem::invalid_fields(faults).into())
}

fn customer(customer_id: &str) -> Result<&str, Status> {
    match wire::text::id_fault(customer_id) {
        Some(message) => Err(Problem::invalid_field("customer_id", message).into()),
        None => Ok(customer_id),
    }
}

fn unknown(customer_id: &str) -> Status {
    Problem::not_found("record", customer_id).into()
}

impl CustomerRecords {
    async fn schema(&self, tenant: &str, named: &str) -> Result<Schema, Status> {
        let found: proto::Schema = self.0.stored().get(tenant, named).await?;
        Ok(parse::schema(&found))
    }

    async fn list(
        &self,
        tenant: &str,
        schema: &Schema,
        size: usize,
        after: String,
    ) -> Result<(Vec<CustomerRecord>, String), Status> {
        let (mut records, mut bytes, mut last) = (Vec::new(), 0, after);
        loop {
            // One more than wanted tells whether there is a next page.
            let wanted = (size + 1 - records.len()).min(READ_ROWS);
            let rows = self
                .0
                .records
                .list(tenant, &schema.id, &last, wanted as i64)
                .await
                .map_err(store_error)?;
            let is_end = rows.len() < wanted;
            for row in rows {
                bytes += row.payload.len() + row.customer_id.len();
                if records.len() == size || (bytes > PAGE_BYTES_MAX && !records.is_empty()) {
                    return Ok((records, listing(schema).token(&last)));
                }
                last.clone_from(&row.customer_id);
                records.push(shown(schema, row));
            }
            if is_end {
                return Ok((records, String::new()));
            }
        }
    }
}

/// The faults of a batch in row order, at most [`ROW_FAULTS_MAX`] of each row.
fn row_faults(records: &[CustomerRecord], rows: &[Row]) -> Vec<proto::RowFault> {
    let mut shown = Vec::new();
    for (index, (record, row)) in records.iter().zip(rows).enumerate() {
        let Err(faults) = row else { continue };
        let more = faults.len().saturating_sub(ROW_FAULTS_MAX);
        for (place, (field, message)) in faults.iter().take(ROW_FAULTS_MAX).enumerate() {
            let is_last = place + 1 == ROW_FAULTS_MAX;
            let tail = if is_last && more > 0 {
                format!("; and {more} more faults")
            } else {
                String::new()
            };
            shown.push(proto::RowFault {
                index: i32::try_from(index).unwrap_or(i32::MAX),
                customer_id: match wire::text::id_fault(&record.customer_id) {
                    None => record.customer_id.clone(),
                    Some(_) => quoted(&record.customer_id),
                },
                field: field.clone(),
                message: format!("{}{tail}", clipped(message)),
            });
        }
    }
    shown
}

#[tonic::async_trait]
impl RecordService for CustomerRecords {
    async fn put_record(
        &self,
        request: Request<proto::PutRecordRequest>,
    ) -> Result<Response<proto::PutRecordResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let schema = self.schema(&tenant, &request.schema).await?;
        let (customer_id, changes) = read(&schema, request.record)?;
        let payload =
            whole(changes).map_err(|message| Problem::invalid_field("record", message))?;
        let record = NewRecord { customer_id, payload };
        let row = self
            .0
            .records
            .put(&tenant, &schema.id, record, self.0.clock.now())
            .await
            .map_err(store_error)?;
        Ok(Response::new(proto::PutRecordResponse { record: Some(shown(&schema, row)) }))
    }

    async fn patch_record(
        &self,
        request: Request<proto::PatchRecordRequest>,
    ) -> Result<Response<proto::PatchRecordResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let schema = self.schema(&tenant, &request.schema).await?;
        let (customer_id, changes) = read(&schema, request.record)?;
        let change = |payload: &[u8]| merged(payload, changes).map_err(Unchanged::TooLarge);
        let row = self
            .0
            .records
            .change(&tenant, &schema.id, &customer_id, self.0.clock.now(), change)
            .await?;
        let row = row.ok_or_else(|| unknown(&customer_id))?;
        Ok(Response::new(proto::PatchRecordResponse { record: Some(shown(&schema, row)) }))
    }

    async fn get_record(
        &self,
        request: Request<proto::GetRecordRequest>,
    ) -> Result<Response<proto::GetRecordResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let schema = self.schema(&tenant, &request.schema).await?;
        let customer_id = customer(&request.customer_id)?;
        let row =
            self.0.records.get(&tenant, &schema.id, customer_id).await.map_err(store_error)?;
        let row = row.ok_or_else(|| unknown(customer_id))?;
        Ok(Response::new(proto::GetRecordResponse { record: Some(shown(&schema, row)) }))
    }

    async fn list_records(
        &self,
        request: Request<proto::ListRecordsRequest>,
    ) -> Result<Response<proto::ListRecordsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let schema = self.schema(&tenant, &request.schema).await?;
        let (size, after) = listing(&schema)
            .page(request.page_size, &request.page_token)
            .map_err(Problem::invalid_fields)?;
        let size = usize::try_from(size).unwrap_or_default();
        let (records, next_page_token) = self.list(&tenant, &schema, size, after).await?;
        Ok(Response::new(proto::ListRecordsResponse { records, next_page_token }))
    }

    async fn delete_record(
        &self,
        request: Request<proto::DeleteRecordRequest>,
    ) -> Result<Response<proto::DeleteRecordResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let schema = self.schema(&tenant, &request.schema).await?;
        let customer_id = customer(&request.customer_id)?;
        match self.0.records.delete(&tenant, &schema.id, customer_id).await.map_err(store_error)? {
            true => Ok(Response::new(proto::DeleteRecordResponse {})),
            false => Err(unknown(customer_id)),
        }
    }

    async fn import_records(
        &self,
        request: Request<Streaming<proto::ImportRecordsRequest>>,
    ) -> Result<Response<proto::ImportRecordsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let caller = import::Caller::of(request.extensions());
        let answer = import::import(&self.0, &tenant, caller, request.into_inner()).await;
        answer.map(Response::new)
    }

    async fn batch_put_records(
        &self,
        request: Request<proto::BatchPutRecordsRequest>,
    ) -> Result<Response<proto::BatchPutRecordsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let proto::BatchPutRecordsRequest { schema, records, all_or_nothing, unread } =
            request.into_inner();
        if records.len() > BATCH_MAX {
            return Err(Problem::limit("records", records.len(), BATCH_MAX).into());
        }
        let schema = self.schema(&tenant, &schema).await?;
        let mut hints = Hints::default();
        let rows = records.iter().map(|record| row(&schema, record, &mut hints));
        let mut rows: Vec<Row> = rows.collect();
        let ids: Vec<&str> = records.iter().map(|record| record.customer_id.as_str()).collect();
        refuse_unfit_customers(&ids, &mut rows);
        for (index, fault) in unread {
            let row = usize::try_from(index).ok().and_then(|index| rows.get_mut(index));
            let Some(row) = row else { continue };
            let faults = fault.field_violations.into_iter();
            *row = Err(faults.map(|it| (it.field, it.description)).collect());
        }
        let mut kept = Vec::with_capacity(rows.len());
        for (record, row) in records.iter().zip(&mut rows) {
            let Ok(changes) = row else { continue };
            match whole(std::mem::take(changes)) {
                Ok(payload) => {
                    kept.push(NewRecord { customer_id: record.customer_id.clone(), payload })
                }
                Err(message) => refuse(row, "", message),
            }
        }
        let faults = row_faults(&records, &rows);
        if all_or_nothing && !faults.is_empty() {
            kept.clear();
        }
        let accepted = kept.len();
        if accepted > 0 {
            self.0
                .records
                .put_all(&tenant, &schema.id, kept, self.0.clock.now())
                .await
                .map_err(store_error)?;
        }
        let count = |rows: usize| i32::try_from(rows).unwrap_or(i32::MAX);
        let (accepted, refused) = (count(accepted), count(rows.len() - accepted));
        Ok(Response::new(proto::BatchPutRecordsResponse { accepted, refused, faults }))
    }
}

/// The list of a schema's records.
fn listing(schema: &Schema) -> Listing {
    Listing::new(&["records", &schema.id])
}
