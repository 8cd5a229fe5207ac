//! A catalog to talk to, and short ways to say what the tests say often.

use std::collections::BTreeMap;

use catalog_svc::{App, Deps, LimitSettings};
use chrono::{DateTime, Utc};
use database::Location;
use proffer_proto::{
    catalog::v1::{
        Affinity, Category, ComputedField, Condition, CustomerRecord, FieldType, Offer, Operator,
        OutputType, Rule, RuleList, Schema, SchemaField,
        behavioral_metric_service_client::BehavioralMetricServiceClient,
        category_service_client::CategoryServiceClient,
        creative_service_client::CreativeServiceClient, lookup_service_client::LookupServiceClient,
        offer_service_client::OfferServiceClient,
        outcome_type_service_client::OutcomeTypeServiceClient,
        placement_service_client::PlacementServiceClient,
        record_service_client::RecordServiceClient, rule::Kind,
        schema_service_client::SchemaServiceClient, *,
    },
    values::v1::{Value, ValueList, value},
};
use serve::{Clock, Neighbour};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A running catalog on a store of its own.
pub struct Catalog {
    neighbour: Neighbour,
    pub clock: Clock,
    _folder: Option<tempfile::TempDir>,
}

/// Longest wait for the next piece of a file.
const IMPORT_IDLE_MAX: std::time::Duration = std::time::Duration::from_secs(1);

/// Runs the check on SQLite, then on PostgreSQL.
pub async fn on_both(check: impl AsyncFn(Catalog)) {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Folder(folder.path().to_owned());
    check(open(&location, Some(folder)).await).await;
    check(open(&Location::Url(testkit::fresh_database_url().await), None).await).await;
}

/// A catalog on SQLite, for what no store has a say in.
pub async fn on_sqlite() -> Catalog {
    let folder = tempfile::tempdir().unwrap();
    open(&Location::Folder(folder.path().to_owned()), Some(folder)).await
}

/// A catalog on SQLite in which a tenant may have so many categories.
pub async fn with_categories_max(max_categories: u32) -> Catalog {
    let folder = tempfile::tempdir().unwrap();
    let limits = LimitSettings { max_categories, ..LimitSettings::default() };
    let location = Location::Folder(folder.path().to_owned());
    open_with(limits, &location, Some(folder)).await
}

async fn open(location: &Location, folder: Option<tempfile::TempDir>) -> Catalog {
    open_with(LimitSettings::default(), location, folder).await
}

async fn open_with(
    limits: LimitSettings,
    location: &Location,
    folder: Option<tempfile::TempDir>,
) -> Catalog {
    let clock = Clock::fixed(instant("2026-11-25T10:00:00Z"));
    let app = App::build(location, Deps { clock: clock.clone() }).await.unwrap();
    let app = app.with_import_idle_max(IMPORT_IDLE_MAX).with_limits(limits);
    assert!(app.readiness().is_ready());
    let channels = ["email", "web", "sms", "push"].map(|name| ("channel", name, name));
    app.follow(std::sync::Arc::new(testkit::WrittenLog::of(&channels)));
    Catalog { neighbour: Neighbour::local(app.routes()), clock, _folder: folder }
}

pub fn instant(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

macro_rules! clients {
    ($($name:ident $client:ident),*) => {
        impl Catalog {
            $(pub fn $name(&self) -> $client<Neighbour> {
                $client::new(self.neighbour.clone())
            })*
        }
    };
}

clients! {
    schemas SchemaServiceClient, records RecordServiceClient, categories CategoryServiceClient,
    offers OfferServiceClient, outcome_types OutcomeTypeServiceClient, lookup LookupServiceClient,
    metrics BehavioralMetricServiceClient, creatives CreativeServiceClient,
    placements PlacementServiceClient
}

impl Catalog {
    pub async fn create_schema(&self, schema: Schema) -> Result<Schema, Status> {
        let answer = self
            .schemas()
            .create_schema(CreateSchemaRequest { schema: Some(schema), ..Default::default() })
            .await?;
        Ok(answer.into_inner().schema.unwrap())
    }

    pub async fn update_schema(
        &self,
        id: &str,
        schema: Schema,
        paths: &[&str],
    ) -> Result<Schema, Status> {
        let (id, schema, update_mask) = (id.to_owned(), Some(schema), mask(paths));
        let answer =
            self.schemas().update_schema(UpdateSchemaRequest { id, schema, update_mask }).await?;
        Ok(answer.into_inner().schema.unwrap())
    }

    /// Replaces the fields of a schema.
    pub async fn set_fields(
        &self,
        id: &str,
        fields: &[(&str, FieldType)],
    ) -> Result<Schema, Status> {
        self.update_schema(id, schema("", fields), &["fields"]).await
    }

    pub async fn delete_schema(&self, id: &str) -> Result<(), Status> {
        let request = DeleteSchemaRequest { id: id.to_owned(), etag: String::new() };
        self.schemas().delete_schema(request).await.map(drop)
    }

    pub async fn create_category(&self, category: Category) -> Result<Category, Status> {
        let answer = self
            .categories()
            .create_category(CreateCategoryRequest {
                category: Some(category),
                ..Default::default()
            })
            .await?;
        Ok(answer.into_inner().category.unwrap())
    }

    pub async fn update_category(
        &self,
        id: &str,
        category: Category,
        paths: &[&str],
    ) -> Result<Category, Status> {
        let (id, category, update_mask) = (id.to_owned(), Some(category), mask(paths));
        let answer = self
            .categories()
            .update_category(UpdateCategoryRequest { id, category, update_mask })
            .await?;
        Ok(answer.into_inner().category.unwrap())
    }

    pub async fn create_offer(&self, offer: Offer) -> Result<Offer, Status> {
        let answer = self
            .offers()
            .create_offer(CreateOfferRequest { offer: Some(offer), ..Default::default() })
            .await?;
        Ok(answer.into_inner().offer.unwrap())
    }

    pub async fn update_offer(
        &self,
        id: &str,
        offer: Offer,
        paths: &[&str],
    ) -> Result<Offer, Status> {
        let (id, offer, update_mask) = (id.to_owned(), Some(offer), mask(paths));
        let answer =
            self.offers().update_offer(UpdateOfferRequest { id, offer, update_mask }).await?;
        Ok(answer.into_inner().offer.unwrap())
    }

    pub async fn create_metric(
        &self,
        metric: BehavioralMetric,
    ) -> Result<BehavioralMetric, Status> {
        let request =
            CreateBehavioralMetricRequest { behavioral_metric: Some(metric), ..Default::default() };
        let answer = self.metrics().create_behavioral_metric(request).await?;
        Ok(answer.into_inner().behavioral_metric.unwrap())
    }

    pub async fn update_metric(
        &self,
        id: &str,
        metric: BehavioralMetric,
        paths: &[&str],
    ) -> Result<BehavioralMetric, Status> {
        let (id, behavioral_metric, update_mask) = (id.to_owned(), Some(metric), mask(paths));
        let request = UpdateBehavioralMetricRequest { id, behavioral_metric, update_mask };
        Ok(self
            .metrics()
            .update_behavioral_metric(request)
            .await?
            .into_inner()
            .behavioral_metric
            .unwrap())
    }

    pub async fn create_creative(&self, creative: Creative) -> Result<Creative, Status> {
        let answer = self
            .creatives()
            .create_creative(CreateCreativeRequest {
                creative: Some(creative),
                ..Default::default()
            })
            .await?;
        Ok(answer.into_inner().creative.unwrap())
    }

    pub async fn update_creative(
        &self,
        id: &str,
        creative: Creative,
        paths: &[&str],
    ) -> Result<Creative, Status> {
        let (id, creative, update_mask) = (id.to_owned(), Some(creative), mask(paths));
        let answer = self
            .creatives()
            .update_creative(UpdateCreativeRequest { id, creative, update_mask })
            .await?;
        Ok(answer.into_inner().creative.unwrap())
    }

    pub async fn create_placement(&self, placement: Placement) -> Result<Placement, Status> {
        let answer = self
            .placements()
            .create_placement(CreatePlacementRequest {
                placement: Some(placement),
                ..Default::default()
            })
            .await?;
        Ok(answer.into_inner().placement.unwrap())
    }

    pub async fn update_placement(
        &self,
        id: &str,
        placement: Placement,
        paths: &[&str],
    ) -> Result<Placement, Status> {
        let (id, placement, update_mask) = (id.to_owned(), Some(placement), mask(paths));
        let answer = self
            .placements()
            .update_placement(UpdatePlacementRequest { id, placement, update_mask })
            .await?;
        Ok(answer.into_inner().placement.unwrap())
    }

    pub async fn put(
        &self,
        customer_id: &str,
        fields: &[(&str, Value)],
    ) -> Result<CustomerRecord, Status> {
        let (schema, record) = ("Customer".to_owned(), Some(record(customer_id, fields)));
        let answer = self.records().put_record(PutRecordRequest { schema, record }).await?;
        Ok(answer.into_inner().record.unwrap())
    }

    pub async fn patch(
        &self,
        customer_id: &str,
        fields: &[(&str, Value)],
    ) -> Result<CustomerRecord, Status> {
        let (schema, record) = ("Customer".to_owned(), Some(record(customer_id, fields)));
        let answer = self.records().patch_record(PatchRecordRequest { schema, record }).await?;
        Ok(answer.into_inner().record.unwrap())
    }

    pub async fn get(&self, customer_id: &str) -> Result<CustomerRecord, Status> {
        let request =
            GetRecordRequest { schema: "Customer".to_owned(), customer_id: customer_id.to_owned() };
        Ok(self.records().get_record(request).await?.into_inner().record.unwrap())
    }

    pub async fn batch(
        &self,
        records: Vec<CustomerRecord>,
        all_or_nothing: bool,
    ) -> Result<BatchPutRecordsResponse, Status> {
        let request = BatchPutRecordsRequest {
            schema: "Customer".to_owned(),
            records,
            all_or_nothing,
            ..Default::default()
        };
        Ok(self.records().batch_put_records(request).await?.into_inner())
    }

    pub async fn lookup_customer(&self, customer_id: &str, schema: &str) -> LookupCustomerResponse {
        let request = LookupCustomerRequest {
            customer_id: customer_id.to_owned(),
            schema: schema.to_owned(),
        };
        self.lookup().lookup_customer(request).await.unwrap().into_inner()
    }

    pub async fn create_outcome_type(
        &self,
        outcome_type: OutcomeType,
    ) -> Result<OutcomeType, Status> {
        let request =
            CreateOutcomeTypeRequest { outcome_type: Some(outcome_type), ..Default::default() };
        Ok(self
            .outcome_types()
            .create_outcome_type(request)
            .await?
            .into_inner()
            .outcome_type
            .unwrap())
    }

    pub async fn delete_outcome_type(&self, key: &str) -> Result<(), Status> {
        let request = DeleteOutcomeTypeRequest { key: key.to_owned(), etag: String::new() };
        self.outcome_types().delete_outcome_type(request).await.map(drop)
    }
}

fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

pub fn schema(name: &str, fields: &[(&str, FieldType)]) -> Schema {
    let field = |(name, of_type): &(&str, FieldType)| SchemaField {
        name: (*name).to_owned(),
        r#type: (*of_type).into(),
        ..Default::default()
    };
    Schema {
        name: name.to_owned(),
        fields: fields.iter().map(field).collect(),
        ..Default::default()
    }
}

/// The seed's fields.
pub const CUSTOMER_FIELDS: [(&str, FieldType); 8] = [
    ("lastPurchaseDate", FieldType::Date),
    ("lifetimePurchases", FieldType::Integer),
    ("lifetimeRevenue", FieldType::Decimal),
    ("primaryCategory", FieldType::String),
    ("preferredChannel", FieldType::String),
    ("timezone", FieldType::String),
    ("consentEmail", FieldType::Boolean),
    ("consentSMS", FieldType::Boolean),
];

pub fn category(name: &str, fields: &[(&str, &str, OutputType)]) -> Category {
    let field = |(name, formula, output): &(&str, &str, OutputType)| ComputedField {
        name: (*name).to_owned(),
        formula: (*formula).to_owned(),
        output_type: (*output).into(),
    };
    Category {
        name: name.to_owned(),
        computed_fields: fields.iter().map(field).collect(),
        ..Default::default()
    }
}

pub fn offer(name: &str, category: &str, rules: Vec<Rule>) -> Offer {
    Offer {
        name: name.to_owned(),
        category: category.to_owned(),
        qualification_rules: rules,
        ..Default::default()
    }
}

/// The seed's metric: clicks in 7 days.
pub fn clicks() -> BehavioralMetric {
    BehavioralMetric {
        key: "clicks_7d".into(),
        name: "Clicks in 7 days".into(),
        outcome: "click".into(),
        aggregate: MetricAggregate::Count.into(),
        window_days: 7,
        ..Default::default()
    }
}

pub fn creative(name: &str, offer: &str) -> Creative {
    Creative { name: name.to_owned(), offer: offer.to_owned(), ..Default::default() }
}

pub fn condition(field: &str, op: Operator, value: impl Into<Option<Value>>) -> Rule {
    let condition = Condition { field: field.to_owned(), op: op.into(), value: value.into() };
    Rule { kind: Some(Kind::Condition(condition)) }
}

pub fn all(rules: Vec<Rule>) -> Rule {
    Rule { kind: Some(Kind::All(RuleList { rules })) }
}

pub fn any(rules: Vec<Rule>) -> Rule {
    Rule { kind: Some(Kind::Any(RuleList { rules })) }
}

pub fn not(rule: Rule) -> Rule {
    Rule { kind: Some(Kind::Negated(Box::new(rule))) }
}

pub fn affinity(field: &str, value: Value) -> Affinity {
    Affinity { field: field.to_owned(), value: Some(value) }
}

pub fn record(customer_id: &str, fields: &[(&str, Value)]) -> CustomerRecord {
    let fields: BTreeMap<_, _> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    CustomerRecord { customer_id: customer_id.to_owned(), fields, ..Default::default() }
}

pub fn text(text: &str) -> Value {
    Value { kind: Some(value::Kind::StringValue(text.to_owned())) }
}

pub fn integer(number: i64) -> Value {
    Value { kind: Some(value::Kind::IntegerValue(number)) }
}

pub fn double(number: f64) -> Value {
    Value { kind: Some(value::Kind::DoubleValue(number)) }
}

pub fn decimal(text: &str) -> Value {
    Value { kind: Some(value::Kind::DecimalValue(text.to_owned())) }
}

pub fn boolean(is: bool) -> Value {
    Value { kind: Some(value::Kind::BooleanValue(is)) }
}

pub fn list(values: Vec<Value>) -> Value {
    Value { kind: Some(value::Kind::ListValue(ValueList { values })) }
}

pub fn null() -> Value {
    Value { kind: None }
}

/// Code and reason of a refusal.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    let reason =
        status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default();
    (status.code(), reason)
}

pub fn code<T: std::fmt::Debug>(result: Result<T, Status>) -> Code {
    refusal(result).0
}

/// Path and message of every fault of an INVALID_ARGUMENT.
pub fn faults<T: std::fmt::Debug>(result: Result<T, Status>) -> Vec<String> {
    let status = result.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_error_details();
    let violations =
        details.bad_request().map(|request| request.field_violations.clone()).unwrap_or_default();
    violations.into_iter().map(|fault| format!("{} {}", fault.field, fault.description)).collect()
}
