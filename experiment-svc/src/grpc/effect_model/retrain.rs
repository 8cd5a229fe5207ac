//! Learns effect models again, as often as their flows say.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use history::{ServiceContext as _, crud};
use proffer_proto::experiment::v1::{self as proto, EffectModelStatus as Stage};
use serve::metadata;
use tonic::{
    Code, Status,
    metadata::{MetadataMap, MetadataValue},
};
use wire::instant::stored;

use super::{
    Context,
    progress::Progress,
    train::{self, Naming},
};
use crate::{domain::effect_model::Target, grpc::failures::Failures};

/// How often it is looked for models that are due.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// Who writes them, in the history.
const ACTOR: &str = "schedule";

/// What models of one kind have in common: tenant, experiment, metric and category.
type Kind = (String, String, String, String);
/// When models of a kind were last learned again without a new version.
pub type Tried = BTreeMap<Kind, DateTime<Utc>>;

/// A model that is due.
struct Due {
    kind: Kind,
    newest: proto::EffectModel,
    /// The one that decisions use or record, if there is one.
    serving: Option<proto::EffectModel>,
}

/// Learns again what is due; returns how many new versions there are.
pub async fn retrain(context: &Context, tried: &mut Tried) -> Result<usize, Status> {
    let (mut failures, mut learned) = (Failures::default(), 0);
    for tenant in context.history.tenants().await? {
        let Some(due) = failures.note(&tenant, due(context, &tenant, tried).await) else {
            continue;
        };
        for due in due {
            // Tried is tried: what fails is not tried again each minute.
            tried.insert(due.kind.clone(), context.clock.now());
            let done = again(context, &tenant, &due).await;
            learned += usize::from(failures.note(&due.newest.name, done).unwrap_or_default());
        }
    }
    failures.first().map(|()| learned)
}

/// The models of a tenant that are due.
async fn due(context: &Context, tenant: &str, tried: &Tried) -> Result<Vec<Due>, Status> {
    let all = context.stored::<proto::EffectModel>().all(tenant).await?;
    let mut kinds: BTreeMap<Kind, Vec<proto::EffectModel>> = BTreeMap::new();
    for model in all.into_iter().filter(|model| !model.flow_id.is_empty()) {
        let (experiment, metric) = (model.experiment_id.clone(), model.metric.clone());
        let kind = (tenant.to_owned(), experiment, metric, model.category_id.clone());
        kinds.entry(kind).or_default().push(model);
    }
    let mut found = Vec::new();
    for (kind, models) in kinds {
        let Some(newest) = models.iter().max_by_key(|model| model.version).cloned() else {
            continue;
        };
        let learning = context.known.learning(tenant, &newest.flow_id).await;
        let Some(days) = learning.and_then(|learning| learning.retrain_days) else { continue };
        let last = stored(newest.created_at).max(tried.get(&kind).copied());
        let next = last.and_then(|last| last.checked_add_signed(TimeDelta::days(days.into())));
        if next.is_some_and(|next| next <= context.clock.now()) {
            let of = |stage: Stage| models.iter().find(|model| model.status() == stage).cloned();
            let serving = of(Stage::Active).or_else(|| of(Stage::Shadow));
            found.push(Due { kind, newest, serving });
        }
    }
    Ok(found)
}

/// Learns one again; true when there is a new version.
async fn again(context: &Context, tenant: &str, due: &Due) -> Result<bool, Status> {
    let newest = &due.newest;
    let stored: proto::Experiment = context.stored().get(tenant, &newest.experiment_id).await?;
    let target = Target::parse(&newest.metric).map_err(Status::internal)?;
    let request = proto::TrainEffectModelRequest {
        experiment_id: newest.experiment_id.clone(),
        metric: newest.metric.clone(),
        category_id: newest.category_id.clone(),
        description: newest.description.clone(),
        ..Default::default()
    };
    let Some(_turn) = context.trainings.turn().await else { return Ok(false) };
    let model =
        train::learned(context, tenant, (&stored, &request), (target, &Progress::default()))
            .await?;
    let model = proto::EffectModel { flow_id: newest.flow_id.clone(), ..model };
    let rows = |model: &proto::EffectModel| model.training.clone().map(|rows| rows.data_set);
    if rows(&model) == rows(newest) {
        return Ok(false);
    }
    let metadata = scheduled(tenant);
    let written = train::store(context, &metadata, &stored, (model, Naming::Next)).await;
    let written = match written {
        // Another replica has just done the same.
        Err(error) if error.code() == Code::AlreadyExists => return Ok(false),
        written => written?,
    };
    match &due.serving {
        Some(_) if written.fit.is_none() => {
            let (model, why) = (written.name, written.why.join("; "));
            tracing::warn!(model, why, "what was learned again ranks nothing and is not used");
        }
        Some(serving) => succeed(context, &metadata, serving, &written).await?,
        None => {}
    }
    Ok(true)
}

/// Puts a new version in the place of the one before it.
async fn succeed(
    context: &Context,
    metadata: &MetadataMap,
    before: &proto::EffectModel,
    new: &proto::EffectModel,
) -> Result<(), Status> {
    set(context, metadata, &new.id, before.status()).await?;
    // One active model replaces the other by itself.
    if before.status() == Stage::Shadow {
        set(context, metadata, &before.id, Stage::Archived).await?;
    }
    Ok(())
}

async fn set(
    context: &Context,
    metadata: &MetadataMap,
    id: &str,
    status: Stage,
) -> Result<(), Status> {
    let changed = proto::EffectModel { status: status.into(), ..Default::default() };
    let mask = prost_types::FieldMask { paths: vec!["status".to_owned()] };
    let patch = (Some(changed), Some(mask));
    crud::update::<_, proto::EffectModel>(context, metadata, id, patch, false).await.map(drop)
}

/// The metadata of a call that the schedule makes.
fn scheduled(tenant: &str) -> MetadataMap {
    let mut made = metadata::request(tenant, ());
    made.metadata_mut().insert(metadata::ACTOR, MetadataValue::from_static(ACTOR));
    made.into_parts().0
}

/// Learns again for ever.
pub async fn run(context: Context) {
    let mut tried = Tried::new();
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = retrain(&context, &mut tried).await {
            tracing::warn!(code = ?error.code(), "effect models were not learned again");
        }
    }
}
