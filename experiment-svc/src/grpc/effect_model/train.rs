//! Learns an effect model and stores it.

use std::sync::Arc;

use futures::StreamExt as _;
use history::{Author, Collection, ServiceContext as _, crud};
use proffer_proto::{errors::v1::ErrorReason, experiment::v1 as proto};
use serve::{Problem, background};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status, metadata::MetadataMap};
use wire::named::FLOW;

use super::{
    Context, print,
    progress::{Progress, Running, Stage},
};
use crate::{
    domain::{
        effect_model::{ROWS_MAX, Target, learn},
        experiment::EVERY_FLOW,
        training::{TrainingRow, TrainingSet},
    },
    grpc::{experiment::has_flow, id_fault, resource, training},
};

/// Models that a process learns at once.
const AT_ONCE_MAX: usize = 2;
/// How often a made-up name is tried when another process has just taken it.
const NAMES_MAX: usize = 5;
/// Longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// How a name is found for a model that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// The next free one.
    Free,
    /// The next one; when another process has just taken it, that one has done the same work.
    Next,
}

/// Lets so many models be learned at once. Cheap to clone.
#[derive(Clone)]
pub struct Trainings(Arc<Semaphore>);

impl Trainings {
    /// Waits until a model may be learned; none when the process ends.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.0.clone().acquire_owned().await.ok()
    }
}

impl Default for Trainings {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE_MAX)))
    }
}

/// Learns from the rows of an experiment. A caller who goes away does not stop it: the draft is
/// stored all the same.
pub(super) async fn begin(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::TrainEffectModelRequest,
    progress: Progress,
) -> Result<Running, Status> {
    let author = Author::of(metadata, context.clock())?;
    let mut faults = Vec::new();
    let target = Target::parse(&request.metric)
        .map_err(|fault| faults.push(("metric".to_owned(), fault)))
        .ok();
    if let Some(fault) = id_fault(&request.category_id).filter(|_| !request.category_id.is_empty())
    {
        faults.push(("category_id".to_owned(), fault));
    }
    let Some(target) = target.filter(|_| faults.is_empty()) else {
        return Err(Problem::invalid_fields(faults).into());
    };
    let stored: proto::Experiment =
        context.stored().get(&author.tenant, &request.experiment_id).await?;
    if stored.status() == proto::ExperimentStatus::Draft {
        let why = format!("experiment `{}` has not started: there is nothing to learn", stored.id);
        return Err(Problem::wrong_state(&stored.id, "draft", why).into());
    }
    let flow_id = scored_flow(context, &author.tenant, (&stored, &request.flow_id)).await?;
    let permit = context.trainings.0.clone().try_acquire_owned().map_err(|_| {
        let why = format!("{AT_ONCE_MAX} models are being learned; ask again when one is done");
        Problem::new(Code::ResourceExhausted, ErrorReason::Overloaded, why)
            .retry_after(serve::RETRY_AFTER)
    })?;
    let (context, metadata) = (context.clone(), metadata.clone());
    let work = async move {
        let _permit = permit;
        let how = (target, &progress);
        let model = learned(&context, &author.tenant, (&stored, &request), how).await?;
        let model = proto::EffectModel { flow_id, ..model };
        progress.says(Stage::Storing, 0);
        store(&context, &metadata, &stored, (model, Naming::Free)).await
    };
    Ok(tokio::spawn(work))
}

/// Id of the flow whose offers the model scores: that of the experiment, else the one that is
/// named; empty without one.
async fn scored_flow(
    context: &Context,
    tenant: &str,
    (stored, named): (&proto::Experiment, &str),
) -> Result<String, Status> {
    let (named, has_own) = (named.trim(), has_flow(stored) && stored.flow_id.trim() != EVERY_FLOW);
    if has_own && !named.is_empty() {
        let id = &stored.id;
        let fault = format!("must be left out: a model of experiment `{id}` is about its flow");
        return Err(Problem::invalid_field("flow_id", fault).into());
    }
    if has_own || named.is_empty() {
        return Ok(if has_own { resource::flow_id_of(stored) } else { String::new() });
    }
    let found = context.known.names.resolve(tenant, [(FLOW, named.to_owned())], &[]).await;
    match found.into_iter().next() {
        Some(found) if found.is_unknown() => {
            Err(Problem::not_found(FLOW, named).hint(found.hint()).into())
        }
        Some(found) if !found.reference.id.is_empty() => Ok(found.reference.id),
        _ => Err(serve::unavailable("decision", &"the flow could not be looked up")),
    }
}

/// What the rows of an experiment say, without flow, name and version.
pub(super) async fn learned(
    context: &Context,
    tenant: &str,
    (stored, request): (&proto::Experiment, &proto::TrainEffectModelRequest),
    (target, progress): (Target, &Progress),
) -> Result<proto::EffectModel, Status> {
    let outcome = target.outcome.as_deref().unwrap_or_default();
    let set = training::set_of(context, tenant, stored, (outcome, 0)).await?;
    let (rows, head) = read(context, tenant, &set, progress).await?;
    progress.says(Stage::Fitting, rows.len());
    let (in_money, category) = (target.in_money, request.category_id.clone());
    let learning = background::run(move || learn(&rows, in_money, &category));
    let learned = learning.await.map_err(|fault| serve::internal(&fault))?;
    Ok(proto::EffectModel {
        name: request.name.clone(),
        description: request.description.clone(),
        experiment_id: stored.id.clone(),
        metric: target.metric,
        warnings: learned.fallback.iter().cloned().collect(),
        ..print::model(&learned, head)
    })
}

/// All rows of a set, and the head that names them.
async fn read(
    context: &Context,
    tenant: &str,
    set: &TrainingSet,
    progress: &Progress,
) -> Result<(Vec<TrainingRow>, proto::TrainingHead), Status> {
    let mut counted = training::Counting::of(context, tenant, set).await?;
    let mut rows: Vec<TrainingRow> = Vec::new();
    let mut pages = std::pin::pin!(training::pages(context, tenant, set));
    while let Some(page) = pages.next().await {
        let page = page?;
        counted.add(&page)?;
        let room = ROWS_MAX.saturating_sub(rows.len());
        rows.extend(page.rows.into_iter().take(room));
        progress.says(Stage::Reading, rows.len());
    }
    Ok((rows, counted.head()))
}

/// Stores a model as the next version of its experiment and metric.
pub(super) async fn store(
    context: &Context,
    metadata: &MetadataMap,
    experiment: &proto::Experiment,
    (model, naming): (proto::EffectModel, Naming),
) -> Result<proto::EffectModel, Status> {
    let author = Author::of(metadata, context.clock())?;
    let is_named = !model.name.is_empty();
    let warnings = model.warnings.clone();
    let tries = if naming == Naming::Free { NAMES_MAX } else { 1 };
    let mut tried = 0;
    loop {
        tried += 1;
        let models: Collection<proto::EffectModel> = context.stored();
        let all = models.all(&author.tenant).await?;
        let alike = all.iter().filter(|other| {
            (&other.experiment_id, &other.metric) == (&model.experiment_id, &model.metric)
        });
        let version = 1 + alike.map(|other| other.version).max().unwrap_or_default();
        let name =
            if is_named { model.name.clone() } else { made_name(experiment, &model, version) };
        let draft = proto::EffectModel { name, version, ..model.clone() };
        match crud::create(context, metadata, Some(draft), false).await {
            Err(error) if error.code() == Code::AlreadyExists && !is_named && tried < tries => {}
            written => {
                let mut written = written?;
                written.warnings.extend(warnings);
                return Ok(written);
            }
        }
    }
}

fn made_name(experiment: &proto::Experiment, model: &proto::EffectModel, version: i32) -> String {
    let category = Some(&model.category_id).filter(|id| !id.is_empty());
    let of = category.map_or(String::new(), |id| format!(" {id}"));
    let end = format!(" {}{of} v{version}", model.metric);
    let room = NAME_CHARACTERS_MAX.saturating_sub(end.chars().count());
    let start: String = experiment.name.chars().take(room).collect();
    format!("{start}{end}")
}
