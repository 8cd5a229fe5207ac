//! EffectModelService: what contact changes, learned from experiments, and the life of what was
//! learned.

mod picture;
mod print;
mod progress;
pub mod retrain;
mod train;

use database::Transaction;
use history::{Author, Draft, Filter, Filters, ResourceKind, ServiceContext as _, crud};
use proffer_proto::experiment::v1::{
    self as proto, EffectModelStatus as Stage, effect_model_service_server::EffectModelService,
};
use prost_types::FieldMask;
use serve::{Problem, metadata};
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::Context;
use progress::Progress;
pub use train::Trainings;

/// Effect models that a tenant may have.
const COUNT_MAX: usize = 500;
/// What an update changes.
const CHANGEABLE: [&str; 3] = ["name", "description", "status"];
/// Kind of what a model refers to.
const EXPERIMENT: &str = "experiment";

/// The effect models of a tenant.
pub struct EffectModels(pub Context);

impl ResourceKind<Context> for proto::EffectModel {
    fn count_max(_: &Context) -> Option<usize> {
        Some(COUNT_MAX)
    }

    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        if let Some(stored) = &draft.stored {
            // What was learned never changes.
            let given = std::mem::take(&mut draft.resource);
            let Self { id, name, description, status, .. } = given;
            let kept = Self { references: Vec::new(), ..stored.clone() };
            draft.resource = Self { id, name, description, status, ..kept };
        }
        match Stage::try_from(draft.resource.status) {
            Ok(Stage::Unspecified) => draft.resource.status = Stage::Draft.into(),
            Ok(_) => {}
            Err(_) => {
                draft.add_faults([("status", "must be one of draft, shadow, active, archived")]);
            }
        }
        draft.refuse_faults()?;
        let before = draft.stored.as_ref().map_or(Stage::Draft, Self::status);
        refuse_stage(&draft.resource, before)?;
        let experiment = draft.resource.experiment_id.clone();
        let names = &draft.context.known.names;
        draft.refer(names, "experimentId", vec![(EXPERIMENT, experiment)]).await;
        if draft.resource.status() == Stage::Active {
            let all = draft.context.stored::<Self>().all(draft.tenant()).await?;
            let replaced = all.iter().filter(|other| is_replaced(other, &draft.resource));
            let words = replaced.map(|other| format!("effect model `{}` is archived", other.name));
            let words: Vec<String> = words.collect();
            draft.warn(words);
        }
        Ok(())
    }

    async fn write_beside(
        transaction: &mut Transaction,
        author: &Author,
        _before: Option<&Self>,
        after: &Self,
    ) -> Result<(), Status> {
        if after.status() != Stage::Active {
            return Ok(());
        }
        let archived = |other: Self| {
            let is_replaced = is_replaced(&other, after);
            is_replaced.then(|| Self { status: Stage::Archived.into(), ..other })
        };
        history::rewrite_others(transaction, author, &after.id, archived).await?;
        Ok(())
    }

    fn check_delete(stored: &Self) -> Result<(), Status> {
        if stored.status() == Stage::Active {
            let why = "is active; archive it before you delete it";
            return Err(wrong_state(stored, stored.status(), why));
        }
        Ok(())
    }
}

/// True when setting `active` active archives `other`.
fn is_replaced(other: &proto::EffectModel, active: &proto::EffectModel) -> bool {
    let is_other = other.id != active.id && other.status() == Stage::Active;
    is_other && role(other) == role(active)
}

/// What a model is used for: by flow, else by experiment; metric and category.
fn role(model: &proto::EffectModel) -> (&str, &str, &str, &str) {
    let of_experiment = if model.flow_id.is_empty() { model.experiment_id.as_str() } else { "" };
    (&model.flow_id, of_experiment, &model.metric, &model.category_id)
}

fn refuse_stage(model: &proto::EffectModel, before: Stage) -> Result<(), Status> {
    let after = model.status();
    if before == Stage::Archived && after != Stage::Archived {
        let why = "is archived for good; train another one";
        return Err(wrong_state(model, before, why));
    }
    if model.fit.is_none() && matches!(after, Stage::Shadow | Stage::Active) {
        let why = format!("has nothing to decide by: {}", model.why.join("; "));
        return Err(wrong_state(model, before, &why));
    }
    Ok(())
}

fn wrong_state(model: &proto::EffectModel, stage: Stage, why: &str) -> Status {
    let name = match stage {
        Stage::Unspecified | Stage::Draft => "draft",
        Stage::Shadow => "shadow",
        Stage::Active => "active",
        Stage::Archived => "archived",
    };
    Problem::wrong_state(&model.id, name, format!("effect model `{}` {why}", model.id)).into()
}

/// A model as it is read: its card is asked for by itself.
fn shown(model: proto::EffectModel) -> Option<proto::EffectModel> {
    Some(proto::EffectModel { card: None, ..model })
}

/// The model of this id or name, and its card.
async fn card(
    context: &Context,
    metadata: &MetadataMap,
    id: &str,
) -> Result<(proto::EffectModel, proto::ModelCard), Status> {
    let tenant = metadata::tenant(metadata)?;
    let mut model: proto::EffectModel = context.stored().get(&tenant, id).await?;
    let Some(card) = model.card.take() else {
        let why = format!("has no card: {}", model.why.join("; "));
        return Err(wrong_state(&model, model.status(), &why));
    };
    let picture = format!("/api/v1/effect-models/{}/card.svg", model.id);
    let card = proto::ModelCard { effect_model_id: model.id.clone(), picture, ..card };
    Ok((model, card))
}

#[tonic::async_trait]
impl EffectModelService for EffectModels {
    async fn train_effect_model(
        &self,
        request: Request<proto::TrainEffectModelRequest>,
    ) -> Result<Response<proto::TrainEffectModelResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let begun = train::begin(&self.0, &metadata, request, Progress::default()).await?;
        let effect_model = shown(begun.await.map_err(|fault| serve::internal(&fault))??);
        Ok(Response::new(proto::TrainEffectModelResponse { effect_model }))
    }

    type TrainEffectModelWithProgressStream = progress::Parts;

    async fn train_effect_model_with_progress(
        &self,
        request: Request<proto::TrainEffectModelWithProgressRequest>,
    ) -> Result<Response<progress::Parts>, Status> {
        let (metadata, _, request) = request.into_parts();
        let asked = request.request.ok_or_else(|| Problem::invalid_field("request", "is required"));
        let asked = asked?;
        let (progress, news) = Progress::heard();
        let begun = train::begin(&self.0, &metadata, asked, progress).await?;
        Ok(Response::new(progress::parts(begun, news)))
    }

    async fn get_effect_model(
        &self,
        request: Request<proto::GetEffectModelRequest>,
    ) -> Result<Response<proto::GetEffectModelResponse>, Status> {
        let effect_model =
            shown(crud::get(&self.0, request.metadata(), &request.get_ref().id).await?);
        Ok(Response::new(proto::GetEffectModelResponse { effect_model }))
    }

    async fn list_effect_models(
        &self,
        request: Request<proto::ListEffectModelsRequest>,
    ) -> Result<Response<proto::ListEffectModelsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let (size, token) = (request.page_size, &request.page_token);
        let status =
            Filter::of_word("status", request.status, |model: &proto::EffectModel| model.status)?;
        let page = crud::list(&self.0, &metadata, size, token, Filters::new([status])).await?;
        let effect_models = page.items.into_iter().filter_map(shown).collect();
        let next_page_token = page.next;
        Ok(Response::new(proto::ListEffectModelsResponse { effect_models, next_page_token }))
    }

    async fn update_effect_model(
        &self,
        request: Request<proto::UpdateEffectModelRequest>,
    ) -> Result<Response<proto::UpdateEffectModelResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let whole = || FieldMask { paths: CHANGEABLE.map(str::to_owned).to_vec() };
        let mask = request.update_mask.filter(|mask| !mask.paths.is_empty());
        let patch = (request.effect_model, Some(mask.unwrap_or_else(whole)));
        let effect_model =
            shown(crud::update(&self.0, &metadata, &request.id, patch, false).await?);
        Ok(Response::new(proto::UpdateEffectModelResponse { effect_model }))
    }

    async fn delete_effect_model(
        &self,
        request: Request<proto::DeleteEffectModelRequest>,
    ) -> Result<Response<proto::DeleteEffectModelResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let (id, etag) = (&request.id, &request.etag);
        let warnings = crud::delete::<_, proto::EffectModel>(&self.0, &metadata, id, etag).await?;
        Ok(Response::new(proto::DeleteEffectModelResponse { warnings }))
    }

    async fn get_effect_model_card(
        &self,
        request: Request<proto::GetEffectModelCardRequest>,
    ) -> Result<Response<proto::GetEffectModelCardResponse>, Status> {
        let (_, card) = card(&self.0, request.metadata(), &request.get_ref().id).await?;
        Ok(Response::new(proto::GetEffectModelCardResponse { card: Some(card) }))
    }

    async fn get_effect_model_picture(
        &self,
        request: Request<proto::GetEffectModelPictureRequest>,
    ) -> Result<Response<proto::GetEffectModelPictureResponse>, Status> {
        let (model, card) = card(&self.0, request.metadata(), &request.get_ref().id).await?;
        let picture = Some(picture::picture(&model, &card)?);
        Ok(Response::new(proto::GetEffectModelPictureResponse { picture }))
    }
}
