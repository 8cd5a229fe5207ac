//! Training rows: read for those who learn, and exported.

mod print;

use std::collections::BTreeMap;

use async_stream::try_stream;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use history::ServiceContext as _;
use proffer_proto::{
    experiment::v1::{
        self as proto, Experiment, ExposureEntry, ImportedAssignment,
        export_training_rows_response::Part,
    },
    values::v1::{Value, value::Kind},
};
use prost::Message as _;
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};

use super::{Context, resource};
use crate::{
    domain::{
        experiment::{EVERY_FLOW, Source},
        measure::{CONVERSION, Metric},
        training::{
            FeatureValue, Recorded, RowLeftOut, TrainingRow, TrainingSet, WINDOW_DAYS,
            WINDOW_DAYS_MAX,
        },
    },
    names::Learning,
    store::Learned,
};
pub use print::column;

/// Bytes of a new key.
const KEY_BYTES: usize = 32;

/// Some rows of a set, in the order of customer ids.
#[derive(Clone, Debug, Default)]
pub struct TrainingPage {
    /// The rows.
    pub rows: Vec<TrainingRow>,
    /// Customers who are in no row, by reason.
    pub left_out: BTreeMap<RowLeftOut, u64>,
}

/// Which rows an experiment has. An empty outcome and 0 days are those of its flow, else the
/// defaults.
pub async fn set_of(
    context: &Context,
    tenant: &str,
    stored: &Experiment,
    (outcome, window_days): (&str, i32),
) -> Result<TrainingSet, Status> {
    let experiment = resource::stored(stored)?;
    let mut faults: Vec<(String, String)> = Vec::new();
    if !outcome.is_empty()
        && let Err(fault) = Metric::parse(&format!("outcome:{outcome}"))
    {
        faults.push(("outcome".to_owned(), fault));
    }
    let asked = u32::try_from(window_days).unwrap_or(u32::MAX);
    if asked > WINDOW_DAYS_MAX {
        let message = format!("is {window_days}; it must be 1 to {WINDOW_DAYS_MAX}");
        faults.push(("window_days".to_owned(), message));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid_fields(faults).into());
    }
    let has_flow = experiment.source == Source::Flow && experiment.flow.trim() != EVERY_FLOW;
    let mut learning = Learning::default();
    if has_flow && (outcome.is_empty() || asked == 0) {
        let found = context.known.learning(tenant, &resource::flow_id_of(stored)).await;
        learning = found.ok_or_else(|| {
            let why = "the flow of the experiment is not known yet; give outcome and window_days";
            serve::unavailable("decision", &why)
        })?;
    }
    let outcome = Some(outcome.to_owned()).filter(|key| !key.is_empty()).or(learning.outcome);
    let window = Some(asked).filter(|days| *days > 0).or(learning.window_days);
    let through = context.store.counted_through(tenant).await;
    let through = through.map_err(|error| serve::store_status(&error))?;
    let by = (outcome.as_deref().unwrap_or(CONVERSION), window.unwrap_or(WINDOW_DAYS));
    let set = TrainingSet::of(&stored.id, &experiment, by, through);
    set.map_err(|fault| Problem::invalid_field("outcome", fault).into())
}

/// The rows of a set, page by page: asked for twice, the same rows, unless some were deleted
/// meanwhile. What arrives later is past the instant up to which the set counts.
pub fn pages<'c>(
    context: &'c Context,
    tenant: &'c str,
    set: &'c TrainingSet,
) -> impl Stream<Item = Result<TrainingPage, Status>> + Send + 'c {
    try_stream! {
        let mut after = String::new();
        loop {
            let of = (set.experiment_id.as_str(), set.through_us);
            let found = context.store.learned(tenant, of, &after).await;
            let found = found.map_err(|error| serve::store_status(&error))?;
            let Some(last) = found.last() else { break };
            after = last.recorded.customer_id.clone();
            let mut page = TrainingPage::default();
            for customer in found {
                match set.row(recorded(customer, set.is_external())) {
                    Ok(row) => page.rows.push(row),
                    Err(why) => *page.left_out.entry(why).or_default() += 1,
                }
            }
            yield page;
        }
    }
}

/// Counts the rows of a set as an export does, and so names them alike.
pub struct Counting<'s> {
    counted: print::Counted<'s>,
    key: Vec<u8>,
}

impl<'s> Counting<'s> {
    /// Nothing yet.
    pub async fn of(context: &Context, tenant: &str, set: &'s TrainingSet) -> Result<Self, Status> {
        Ok(Self { counted: print::Counted::new(set), key: key(context, tenant).await? })
    }

    /// Counts a page.
    pub fn add(&mut self, page: &TrainingPage) -> Result<(), Status> {
        self.counted.leave_out(&page.left_out);
        for row in &page.rows {
            self.counted.add(row, &print::row(row, &self.key)?);
        }
        Ok(())
    }

    /// The head of the rows so far.
    pub fn head(&self) -> proto::TrainingHead {
        self.counted.head()
    }
}

/// The key by which exports of a tenant name customers.
async fn key(context: &Context, tenant: &str) -> Result<Vec<u8>, Status> {
    let mut fresh = [0_u8; KEY_BYTES];
    getrandom::fill(&mut fresh).map_err(|error| serve::internal(&error))?;
    let key = context.store.training_key(tenant, &fresh).await;
    key.map_err(|error| serve::store_status(&error))
}

/// Streams the rows of an experiment behind a head. They are read twice: what the head says of them
/// is known when all were read once.
pub async fn export(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::ExportTrainingRowsRequest,
) -> Result<BoxStream<'static, Result<proto::ExportTrainingRowsResponse, Status>>, Status> {
    let tenant = metadata::tenant(metadata)?;
    let stored: Experiment = context.stored().get(&tenant, &request.id).await?;
    let asked = (request.outcome.as_str(), request.window_days);
    let set = set_of(context, &tenant, &stored, asked).await?;
    let key = key(context, &tenant).await?;
    let context = context.clone();
    let parts = try_stream! {
        let mut counting = Counting { counted: print::Counted::new(&set), key: key.clone() };
        for await page in pages(&context, &tenant, &set) {
            counting.add(&page?)?;
        }
        let head = counting.head();
        let data_set = head.data_set.clone();
        yield part(Part::Head(head));
        let mut sent = print::Counted::new(&set);
        for await page in pages(&context, &tenant, &set) {
            for row in page?.rows {
                let shown = print::row(&row, &key)?;
                sent.add(&row, &shown);
                yield part(Part::Row(shown));
            }
        }
        if sent.data_set() != data_set {
            let why = "training rows were deleted while they were read; ask again";
            Err(serve::unavailable("experiment", &why))?;
        }
    };
    Ok(parts.boxed())
}

fn part(part: Part) -> proto::ExportTrainingRowsResponse {
    proto::ExportTrainingRowsResponse { part: Some(part) }
}

/// A customer with gate and features.
fn recorded(customer: Learned, is_external: bool) -> Recorded {
    let Learned { recorded, features, covariates } = customer;
    // INVARIANT: both were written by parsers of this service.
    let (gate_probability, features) = if is_external {
        let row = ImportedAssignment::decode(&*covariates).unwrap_or_default();
        (0.0, row.covariates)
    } else {
        let entry = ExposureEntry::decode(&*features).unwrap_or_default();
        (entry.gate_probability, entry.features)
    };
    let features = features.into_iter().filter_map(|(name, found)| Some((name, value(found)?)));
    Recorded {
        // Senders leave out a probability of 1.
        gate_probability: if gate_probability == 0.0 { 1.0 } else { gate_probability },
        features: features.collect(),
        ..recorded
    }
}

/// A feature as it was recorded; none for one that is missing, or a list.
fn value(found: Value) -> Option<FeatureValue> {
    Some(match found.kind? {
        Kind::StringValue(text) => FeatureValue::Text(text),
        Kind::IntegerValue(number) => FeatureValue::Number(number as f64),
        Kind::DoubleValue(number) => FeatureValue::Number(number),
        Kind::DecimalValue(text) => FeatureValue::Number(text.parse().ok()?),
        Kind::BooleanValue(is) => FeatureValue::Boolean(is),
        Kind::ListValue(_) => return None,
    })
}
