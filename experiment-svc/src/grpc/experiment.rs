//! ExperimentService.

use std::future::ready;

use database::Transaction;
use history::{Author, Draft, Kind, Resource as _, ServiceContext as _, crud};
use proffer_proto::{
    decision::v1::DecisionFlow,
    experiment::v1::{self as proto, experiment_service_server::ExperimentService},
};
use serve::Problem;
use tonic::{Status, metadata::MetadataMap};

use super::{Context, assignment, resource, results};
use crate::{
<<<<<<< ours
    domain::experiment::{ChangeError, Experiment, Status as Stage, folded_flow},
    store::{FlowError, give_flow_back, take_flow},
=======
    domain::{
        analysis::{self, Arm},
        experiment::{ChangeError, Experiment, Status as Stage, folded_flow},
        measure::Metric,
    },
    store::{ArmRow, FlowUse, StoreError},
>>>>>>> theirs
};

/// Bytes of a random salt.
const SALT_BYTES: usize = 16;

/// The experiments of a tenant.
pub struct Experiments(pub Context);

impl Kind<Context> for proto::Experiment {
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
                let why = format!("cannot change so: {why}");
                return Err(wrong_state(&draft.resource.id, stage, &why));
            }
            Ok(checked) => {
                draft.warn(checked.warnings());
                let resource = std::mem::take(&mut draft.resource);
                draft.resource = resource::into_proto(resource, &checked);
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
        let ran = before.is_some_and(is_running);
        let used = match (ran, is_running(after)) {
            (false, true) => {
                take_flow(transaction, &author.tenant, &flow_key(&after.flow_id), &after.id).await
            }
            (true, false) => give_flow_back(transaction, &author.tenant, &after.id)
                .await
                .map_err(FlowError::Database),
            (true, true) | (false, false) => Ok(()),
        };
        used.map_err(|error| refused(error, &after.flow_id))
    }

    fn check_delete(stored: &Self) -> Result<(), Status> {
        if is_running(stored) {
            let why = "is running; conclude it before you delete it";
            return Err(wrong_state(&stored.id, Stage::Running, why));
        }
        Ok(())
    }
}

<<<<<<< ours
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

/// A flow in the form in which two references are compared. This service knows no flows, so a name
/// means the id that is made from it: `Winback` and `flow_winback` are one flow. A flow that was
/// created with another id is the same only when both experiments refer to it alike.
fn flow_key(reference: &str) -> String {
    let folded = folded_flow(reference);
    if folded.starts_with("flow_") {
        folded
    } else {
        history::made_id(DecisionFlow::PREFIX, &folded)
    }
}

<<<<<<< ours
/// Cannot be guessed, so that nobody can choose who is held out.
=======
/// Unguessable, so that no caller can choose who is held out.
>>>>>>> theirs
fn random_salt() -> Result<String, Status> {
    let mut bytes = [0_u8; SALT_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| serve::internal(&error))?;
    Ok(hex::encode(bytes))
}

fn refused(error: FlowError, flow: &str) -> Status {
    match error {
        FlowError::Database(error) => serve::store_status(&error),
        FlowError::Taken { running } => {
            let message = format!(
                "experiment `{running}` already runs on flow `{flow}`; conclude it first, or keep \
                 this one as a draft"
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

<<<<<<< ours
history::resource_service! {
    impl ExperimentService for Experiments of Experiment as experiment, experiments by id {
        create create_experiment(CreateExperimentRequest) -> CreateExperimentResponse,
        get get_experiment(GetExperimentRequest) -> GetExperimentResponse,
        list list_experiments(ListExperimentsRequest) -> ListExperimentsResponse,
        update update_experiment(UpdateExperimentRequest) -> UpdateExperimentResponse,
        delete delete_experiment(DeleteExperimentRequest) -> DeleteExperimentResponse,
        conclude => conclude_experiment(ConcludeExperimentRequest) -> ConcludeExperimentResponse,
        results::get => get_results(GetResultsRequest) -> GetResultsResponse,
        assignment::list => list_assignments(ListAssignmentsRequest) -> ListAssignmentsResponse,
        assignment::get => get_assignment(GetAssignmentRequest) -> GetAssignmentResponse,
=======
fn invalid(faults: PathFaults) -> Status {
    Problem::invalid_fields(faults).into()
}

#[tonic::async_trait]
impl ExperimentService for Experiments {
    async fn create_experiment(
        &self,
        request: Request<proto::CreateExperimentRequest>,
    ) -> Result<Response<proto::CreateExperimentResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let resource = request.into_inner().experiment.unwrap_or_default();
        let (draft, mut faults) = resource::draft(&resource);
        let created = Experiment::create(draft, &random_salt()?, author.at)
            .map_err(|more| faults.extend(paths(more)));
        let Some(created) = created.ok().filter(|_| faults.is_empty()) else {
            return Err(invalid(faults));
        };
        let flow = flow_key(&created.flow);
        let flow_use =
            if created.status == Stage::Running { FlowUse::Take(&flow) } else { FlowUse::Keep };
        let resource = resource::into_proto(resource, &created);
        let stored = self.0.store.create(&self.0.experiments, &author, resource, flow_use).await;
        let mut stored = stored.map_err(|error| refused(error, &created.flow))?;
        stored.warnings = created.warnings();
        Ok(Response::new(proto::CreateExperimentResponse { experiment: Some(stored) }))
    }

    async fn get_experiment(
        &self,
        request: Request<proto::GetExperimentRequest>,
    ) -> Result<Response<proto::GetExperimentResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let found = self.0.experiments.get(&tenant, &request.into_inner().id).await?;
        Ok(Response::new(proto::GetExperimentResponse { experiment: Some(found) }))
    }

    async fn list_experiments(
        &self,
        request: Request<proto::ListExperimentsRequest>,
    ) -> Result<Response<proto::ListExperimentsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let page = self.0.experiments.list(&tenant, request.page_size, &request.page_token).await?;
        let (experiments, next_page_token) = (page.items, page.next);
        Ok(Response::new(proto::ListExperimentsResponse { experiments, next_page_token }))
    }

    async fn update_experiment(
        &self,
        request: Request<proto::UpdateExperimentRequest>,
    ) -> Result<Response<proto::UpdateExperimentResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let request = request.into_inner();
        let paths = request.update_mask.unwrap_or_default().paths;
        let patch = request.experiment.unwrap_or_default();
        let mut draft =
            self.0.experiments.merge(&author.tenant, &request.id, patch, &paths).await?;
        let before = resource::stored(&draft.stored)?;
        let (wanted, mut faults) = resource::draft(&draft.resource);
        let changed = match before.changed(wanted, author.at) {
            Err(ChangeError::Invalid(more)) => {
                faults.extend(resource::paths(more));
                return Err(invalid(faults));
            }
            _ if !faults.is_empty() => return Err(invalid(faults)),
            Err(ChangeError::WrongState(why)) => {
                return Err(wrong_state(
                    &draft.resource.id,
                    before.status,
                    &format!("cannot change so: {why}"),
                ));
            }
            Ok(changed) => changed,
        };
        let flow = flow_key(&changed.flow);
        let starts = before.status == Stage::Draft && changed.status == Stage::Running;
        let flow_use = if starts { FlowUse::Take(&flow) } else { FlowUse::Keep };
        draft.resource = resource::into_proto(draft.resource, &changed);
        let mut stored = self.update(&author, draft, flow_use).await?;
        stored.warnings = changed.warnings();
        Ok(Response::new(proto::UpdateExperimentResponse { experiment: Some(stored) }))
    }

    async fn delete_experiment(
        &self,
        request: Request<proto::DeleteExperimentRequest>,
    ) -> Result<Response<proto::DeleteExperimentResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let request = request.into_inner();
        let (stored, experiment) = self.found(&author.tenant, &request.id).await?;
        if experiment.status == Stage::Running {
            return Err(wrong_state(
                &stored.id,
                experiment.status,
                "is running; conclude it before you delete it",
            ));
        }
        // Against the etag just read: a draft set running in between stays.
        let etag = if request.etag.is_empty() { stored.etag } else { request.etag };
        self.0.experiments.delete(&author, &stored.id, &etag).await?;
        Ok(Response::new(proto::DeleteExperimentResponse {}))
    }

    async fn conclude_experiment(
        &self,
        request: Request<proto::ConcludeExperimentRequest>,
    ) -> Result<Response<proto::ConcludeExperimentResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let request = request.into_inner();
        let nothing = proto::Experiment::default();
        // An output-only field as the mask: what is stored stays, and the etag read is the one
        // written over.
        let mask = ["revision".to_owned()];
        let mut draft =
            self.0.experiments.merge(&author.tenant, &request.id, nothing, &mask).await?;
        let before = resource::stored(&draft.stored)?;
        let concluded = before
            .concluded(request.ship, author.at)
            .map_err(|why| wrong_state(&draft.resource.id, before.status, &why))?;
        draft.resource = resource::into_proto(draft.resource, &concluded);
        let stored = self.update(&author, draft, FlowUse::GiveBack).await?;
        Ok(Response::new(proto::ConcludeExperimentResponse { experiment: Some(stored) }))
    }

    async fn get_results(
        &self,
        request: Request<proto::GetResultsRequest>,
    ) -> Result<Response<proto::GetResultsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let (stored, experiment) = self.found(&tenant, &request.id).await?;
        let metric = match request.metric.as_str() {
            "" => experiment.primary_metric.clone(),
            name => Metric::parse(name).map_err(|fault| Problem::invalid_field("metric", fault))?,
        };
        let window = analysis::window(&experiment);
        let read = self.0.store.read(&tenant, &stored.id, metric, window).await;
        let read = read.map_err(|error| serve::store_status(&error))?;
        let read_out = analysis::read_out(&experiment, &read.counts, self.0.clock.now());
        let results = results::into_proto(read_out, read.counted_through);
        Ok(Response::new(proto::GetResultsResponse { results: Some(results) }))
    }

    async fn list_assignments(
        &self,
        request: Request<proto::ListAssignmentsRequest>,
    ) -> Result<Response<proto::ListAssignmentsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let (size, after) = page(request.page_size, &request.page_token).map_err(invalid)?;
        let experiment = self.0.experiments.get(&tenant, &request.id).await?;
        // One more than asked for tells whether there is a next page.
        let rows = self.0.store.arms(&tenant, &experiment.id, &after, i64::from(size) + 1).await;
        let mut rows = rows.map_err(|error| serve::store_status(&error))?;
        let has_more = rows.len() > size as usize;
        rows.truncate(size as usize);
        let next_page_token =
            rows.last().filter(|_| has_more).map(|row| token(&row.customer_id)).unwrap_or_default();
        let assignments = rows.into_iter().map(assignment).collect();
        Ok(Response::new(proto::ListAssignmentsResponse { assignments, next_page_token }))
    }

    async fn get_assignment(
        &self,
        request: Request<proto::GetAssignmentRequest>,
    ) -> Result<Response<proto::GetAssignmentResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        if let Some(fault) = id_fault(&request.customer_id) {
            return Err(Problem::invalid_field("customer_id", fault).into());
        }
        let experiment = self.0.experiments.get(&tenant, &request.id).await?;
        let row = self.0.store.arm(&tenant, &experiment.id, &request.customer_id).await;
        let row = row.map_err(|error| serve::store_status(&error))?;
        let row = row.ok_or_else(|| {
            Problem::not_found("assignment", &request.customer_id).with(KIND, experiment.id)
        })?;
        Ok(Response::new(proto::GetAssignmentResponse { assignment: Some(assignment(row)) }))
    }
}

fn assignment(row: ArmRow) -> proto::Assignment {
    let arm = match row.arm {
        Arm::Treatment => proto::Arm::Treatment,
        Arm::Holdout => proto::Arm::Holdout,
    };
    proto::Assignment {
        customer_id: row.customer_id,
        arm: arm.into(),
        epoch: row.epoch,
        assigned_at: Some(timestamp(row.assigned_at)),
        first_exposure_at: row.first_exposure_at.map(timestamp),
>>>>>>> theirs
    }
}
