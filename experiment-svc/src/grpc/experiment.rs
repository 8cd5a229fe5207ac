//! ExperimentService: experiments, their results and their assignments.

use std::future::ready;

use database::Transaction;
use history::{Author, Draft, ResourceKind, ServiceContext as _, crud};
use proffer_proto::experiment::v1::{self as proto, experiment_service_server::ExperimentService};
use serve::Problem;
use tonic::{Status, metadata::MetadataMap};
use wire::named::FLOW;

use super::{Context, assignment, import, leak, plan, resource, results, training};
use crate::{
    domain::experiment::{ChangeError, EVERY_FLOW, Experiment, Status as Stage},
    store::{FlowError, give_flow_back, put_plan, take_flow},
};

/// Bytes of a random salt.
const SALT_BYTES: usize = 16;

/// The experiments of a tenant.
pub struct Experiments(pub Context);

impl ResourceKind<Context> for proto::Experiment {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        let (wanted, faults) = resource::draft(&draft.resource);
        draft.add_faults(faults);
        let at = draft.author.at;
        let before = draft.stored.as_ref().map(resource::stored).transpose()?;
        let checked = match &before {
            None => Experiment::create(wanted, &random_salt()?, at).map_err(ChangeError::Invalid),
            Some(before) => before.changed(wanted, at),
        };
        match checked {
            Err(ChangeError::Invalid(faults)) => draft.add_faults(faults),
            Err(ChangeError::WrongState(why)) => {
                draft.refuse_faults()?;
                let stage = before.map_or(Stage::Draft, |before| before.status);
                let why = format!("cannot be changed: {why}");
                return Err(wrong_state(&draft.resource.id, stage, &why));
            }
            Ok(checked) => {
                draft.warn(checked.warnings());
                let resource = std::mem::take(&mut draft.resource);
                draft.resource = resource::into_proto(resource, &checked);
                return complete(draft, &checked).await;
            }
        }
        Ok(())
    }

    async fn write_beside(
        transaction: &mut Transaction,
        author: &Author,
        before: Option<&Self>,
        after: &Self,
    ) -> Result<(), Status> {
        let key = |of: &Self| (is_running(of) && has_flow(of)).then(|| resource::flow_id_of(of));
        let (was, is) = (before.and_then(key), key(after));
        let tenant = &author.tenant;
        let plan = resource::plan_of(after)?;
        let planned = put_plan(transaction, tenant, &plan, author.at).await;
        planned.map_err(|error| serve::store_status(&error))?;
        let refused = |error: FlowError| refused(error, &after.flow_id);
        if was == is {
            return Ok(());
        }
        if was.is_some() {
            let given = give_flow_back(transaction, tenant, &after.id).await;
            given.map_err(|error| refused(error.into()))?;
        }
        match is {
            Some(flow) => take_flow(transaction, tenant, &flow, &after.id).await.map_err(refused),
            None => Ok(()),
        }
    }

    fn check_delete(stored: &Self) -> Result<(), Status> {
        if is_running(stored) {
            let why = "is running; conclude it before you delete it";
            return Err(wrong_state(&stored.id, Stage::Running, why));
        }
        Ok(())
    }
}

/// Ends an experiment.
async fn conclude(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::ConcludeExperimentRequest,
) -> Result<proto::ConcludeExperimentResponse, Status> {
    let author = Author::of(metadata, context.clock())?;
    let ship = request.ship;
    let written =
        crud::rewrite(context, &author, &request.id, "", |draft| ready(concluded(draft, ship)));
    let experiment = Some(written.await?);
    Ok(proto::ConcludeExperimentResponse { experiment })
}

fn concluded(
    mut draft: Draft<'_, Context, proto::Experiment>,
    ship: bool,
) -> Result<Draft<'_, Context, proto::Experiment>, Status> {
    let before = resource::stored(&draft.resource)?;
    let concluded = before.concluded(ship, draft.author.at);
    let concluded =
        concluded.map_err(|why| wrong_state(&draft.resource.id, before.status, &why))?;
    draft.resource = resource::into_proto(draft.resource, &concluded);
    Ok(draft)
}

fn is_running(experiment: &proto::Experiment) -> bool {
    experiment.status() == proto::ExperimentStatus::Running
}

/// Binds the experiment to its flow. One that is new or starts also says what it could show.
async fn complete(
    draft: &mut Draft<'_, Context, proto::Experiment>,
    experiment: &Experiment,
) -> Result<(), Status> {
    find_flow(draft).await?;
    let is_new = draft.stored.is_none();
    let starts = is_running(&draft.resource) && !draft.stored.as_ref().is_some_and(is_running);
    if !has_flow(&draft.resource) {
        draft.resource.planning.clear();
    } else if is_new || starts {
        draft.resource.planning = plan::words(draft.context, draft.tenant(), experiment).await?;
    } else if let Some(stored) = &draft.stored {
        draft.resource.planning = stored.planning.clone();
    }
    Ok(())
}

/// True when decisions draw its arms.
pub(super) fn has_flow(experiment: &proto::Experiment) -> bool {
    experiment.assignment_source() != proto::AssignmentSource::External
}

/// Binds the experiment to its flow. None of that name is a warning for a draft, and refuses an
/// experiment that starts: it would hold nobody out.
async fn find_flow(draft: &mut Draft<'_, Context, proto::Experiment>) -> Result<(), Status> {
    if !has_flow(&draft.resource) || draft.resource.flow_id.trim() == EVERY_FLOW {
        return Ok(());
    }
    let starts = is_running(&draft.resource) && !draft.stored.as_ref().is_some_and(is_running);
    let flow = draft.resource.flow_id.clone();
    let found = draft.refer(&draft.context.known.names, "flowId", vec![(FLOW, flow.clone())]).await;
    match found.first() {
        Some(found) if starts && found.is_unknown() => {
            draft.refuse_faults()?;
            Err(Problem::not_found(FLOW, &flow).hint(found.hint()).into())
        }
        _ => Ok(()),
    }
}

/// Unguessable, so that no caller can choose who is held out.
fn random_salt() -> Result<String, Status> {
    let mut bytes = [0_u8; SALT_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| serve::internal(&error))?;
    Ok(hex::encode(bytes))
}

fn refused(error: FlowError, flow: &str) -> Status {
    match error {
        FlowError::Database(error) => serve::store_status(&error),
        FlowError::Taken { running } => {
            let place = match flow.trim() {
                EVERY_FLOW => "as the universal holdout".to_owned(),
                flow => format!("on flow `{flow}`"),
            };
            let message = format!(
                "experiment `{running}` already runs {place}; conclude it first, or keep this one \
                 as a draft"
            );
            Problem::wrong_state(&running, Stage::Running.name(), message)
                .with("flow_id", flow)
                .into()
        }
    }
}

fn wrong_state(id: &str, stage: Stage, why: &str) -> Status {
    Problem::wrong_state(id, stage.name(), format!("experiment `{id}` {why}")).into()
}

history::resource_service! {
    impl ExperimentService for Experiments of Experiment as experiment, experiments by id {
        create create_experiment(CreateExperimentRequest) -> CreateExperimentResponse,
        get get_experiment(GetExperimentRequest) -> GetExperimentResponse,
        list list_experiments(ListExperimentsRequest) -> ListExperimentsResponse by [status],
        update update_experiment(UpdateExperimentRequest) -> UpdateExperimentResponse,
        stream training::export => export_training_rows(ExportTrainingRowsRequest)
            -> ExportTrainingRowsResponse as ExportTrainingRowsStream,
        delete delete_experiment(DeleteExperimentRequest) -> DeleteExperimentResponse,
        conclude => conclude_experiment(ConcludeExperimentRequest) -> ConcludeExperimentResponse,
        plan::plan => plan_experiment(PlanExperimentRequest) -> PlanExperimentResponse,
        import::import =>
            import_assignments(ImportAssignmentsRequest) -> ImportAssignmentsResponse,
        leak::list => list_leaks(ListLeaksRequest) -> ListLeaksResponse,
        results::get => get_results(GetResultsRequest) -> GetResultsResponse,
        results::picture => get_results_picture(GetResultsPictureRequest)
            -> GetResultsPictureResponse,
        assignment::list => list_assignments(ListAssignmentsRequest) -> ListAssignmentsResponse,
        assignment::get => get_assignment(GetAssignmentRequest) -> GetAssignmentResponse,
    }
}
