//! A running experiment-svc and what is asked of it.

use chrono::{DateTime, TimeDelta, Utc};
use database::Location;
use experiment_svc::{App, Deps};
use history::timestamp;
use proffer_proto::experiment::v1::{
    self as proto, effect_model_service_client::EffectModelServiceClient,
    experiment_service_client::ExperimentServiceClient, ledger_entry::Entry,
    ledger_service_client::LedgerServiceClient,
};
use proffer_proto::values::v1::TextBody;
use serve::{Clock, Neighbour};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The seed's experiment by the id it gets.
pub const SEED: &str = "exp_winback_q4_holdout";

/// The suite's first instant.
pub fn start() -> DateTime<Utc> {
    serve::from_micros(1_795_341_600_000_000)
}

/// So many hours after the first instant.
pub fn hour(hours: i64) -> DateTime<Utc> {
    start() + TimeDelta::hours(hours)
}

/// So many days after the first instant.
pub fn day(days: i64) -> DateTime<Utc> {
    hour(24 * days)
}

#[derive(Clone)]
pub struct Suite {
    pub clock: Clock,
    pub location: Location,
    pub app: App,
    pub experiments: ExperimentServiceClient<Neighbour>,
    pub ledger: LedgerServiceClient<Neighbour>,
    pub effect_models: EffectModelServiceClient<Neighbour>,
}

/// Runs `check` on SQLite and on PostgreSQL.
pub async fn on_both(check: impl AsyncFn(Suite)) {
    let folder = tempfile::tempdir().unwrap();
    check(Suite::start(Location::Folder(folder.path().to_owned())).await).await;
    check(Suite::start(Location::Url(testkit::fresh_database_url().await)).await).await;
}

impl Suite {
    pub async fn start(location: Location) -> Self {
        let clock = Clock::fixed(start());
        let app = App::build(&location, Deps { clock: clock.clone() }).await.unwrap();
        assert!(app.readiness().is_ready());
        let own = Neighbour::local(app.routes());
        let (experiments, ledger) =
            (ExperimentServiceClient::new(own.clone()), LedgerServiceClient::new(own.clone()));
        let effect_models = EffectModelServiceClient::new(own);
        Self { clock, location, app, experiments, ledger, effect_models }
    }

    /// The same store, opened by a new process after the end of this one.
    pub async fn restart(self) -> Self {
        let Self { clock, location, app, experiments, ledger, effect_models } = self;
        app.store().database().close().await;
        drop((app, experiments, ledger, effect_models));
        let again = Self::start(location).await;
        again.clock.set(clock.now());
        again
    }

    /// A second process on the same database, where the store allows it.
    pub async fn replica(&self) -> Self {
        match self.location.place() {
            Location::Folder(_) => self.clone(),
            _ => Self::start(self.location.clone()).await,
        }
    }

    pub async fn create(&self, experiment: proto::Experiment) -> Result<proto::Experiment, Status> {
        let request =
            proto::CreateExperimentRequest { experiment: Some(experiment), ..Default::default() };
        Ok(self
            .experiments
            .clone()
            .create_experiment(request)
            .await?
            .into_inner()
            .experiment
            .unwrap())
    }

    pub async fn get(&self, id: &str) -> Result<proto::Experiment, Status> {
        let request = proto::GetExperimentRequest { id: id.to_owned() };
        Ok(self.experiments.clone().get_experiment(request).await?.into_inner().experiment.unwrap())
    }

    /// Changes the fields of `patch` named by `paths`.
    pub async fn patch(
        &self,
        id: &str,
        patch: proto::Experiment,
        paths: &[&str],
    ) -> Result<proto::Experiment, Status> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let update_mask = Some(prost_types::FieldMask { paths });
        let request = proto::UpdateExperimentRequest {
            id: id.to_owned(),
            experiment: Some(patch),
            update_mask,
        };
        Ok(self
            .experiments
            .clone()
            .update_experiment(request)
            .await?
            .into_inner()
            .experiment
            .unwrap())
    }

    pub async fn conclude(&self, id: &str, ship: bool) -> Result<proto::Experiment, Status> {
        let request = proto::ConcludeExperimentRequest { id: id.to_owned(), ship };
        Ok(self
            .experiments
            .clone()
            .conclude_experiment(request)
            .await?
            .into_inner()
            .experiment
            .unwrap())
    }

    pub async fn delete(&self, id: &str) -> Result<(), Status> {
        let request = proto::DeleteExperimentRequest { id: id.to_owned(), etag: String::new() };
        self.experiments.clone().delete_experiment(request).await.map(drop)
    }

    pub async fn results(&self, id: &str, metric: &str) -> Result<proto::Results, Status> {
        let request = proto::GetResultsRequest {
            id: id.to_owned(),
            metric: metric.to_owned(),
            ..Default::default()
        };
        Ok(self.experiments.clone().get_results(request).await?.into_inner().results.unwrap())
    }

    pub async fn picture(&self, id: &str, metric: &str) -> Result<TextBody, Status> {
        let request =
            proto::GetResultsPictureRequest { id: id.to_owned(), metric: metric.to_owned() };
        let answered = self.experiments.clone().get_results_picture(request).await?;
        Ok(answered.into_inner().picture.unwrap())
    }

    pub async fn assignment(
        &self,
        id: &str,
        customer_id: &str,
    ) -> Result<proto::Assignment, Status> {
        let request =
            proto::GetAssignmentRequest { id: id.to_owned(), customer_id: customer_id.to_owned() };
        Ok(self.experiments.clone().get_assignment(request).await?.into_inner().assignment.unwrap())
    }

    pub async fn assignments(
        &self,
        id: &str,
        page_size: i32,
        page_token: &str,
    ) -> Result<proto::ListAssignmentsResponse, Status> {
        let (id, page_token) = (id.to_owned(), page_token.to_owned());
        let request = proto::ListAssignmentsRequest { id, page_size, page_token, arm: 0 };
        Ok(self.experiments.clone().list_assignments(request).await?.into_inner())
    }

    pub async fn deliver(&self, entries: impl IntoIterator<Item = Entry>) -> Result<(), Status> {
        self.deliver_through(entries, None).await
    }

    pub async fn deliver_through(
        &self,
        entries: impl IntoIterator<Item = Entry>,
        counted_through: Option<DateTime<Utc>>,
    ) -> Result<(), Status> {
        let entries =
            entries.into_iter().map(|entry| proto::LedgerEntry { entry: Some(entry) }).collect();
        let request = proto::DeliverEntriesRequest {
            entries,
            counted_through: counted_through.map(timestamp),
        };
        self.ledger.clone().deliver_entries(request).await.map(drop)
    }
}

/// The seed's experiment, as its call sends it.
pub fn seed() -> proto::Experiment {
    proto::Experiment {
        name: "Winback Q4 holdout".to_owned(),
        flow_id: "flow_winback".to_owned(),
        holdout_percentage: Some(15.0),
        primary_metric: "revenue_per_customer".to_owned(),
        duration: "90 days".to_owned(),
        ..Default::default()
    }
}

/// The same, starting at [`start`].
pub fn running() -> proto::Experiment {
    proto::Experiment { starts_at: Some(history::timestamp(start())), ..seed() }
}

/// An experiment of another name on another flow.
pub fn on_flow(name: &str, flow: &str) -> proto::Experiment {
    proto::Experiment { name: name.to_owned(), flow_id: flow.to_owned(), ..seed() }
}

pub fn assigned(customer_id: &str, arm: proto::Arm, at: DateTime<Utc>) -> Entry {
    Entry::Assignment(proto::AssignmentEntry {
        experiment_id: SEED.to_owned(),
        customer_id: customer_id.to_owned(),
        arm: arm.into(),
        epoch: 1,
        assigned_at: Some(timestamp(at)),
    })
}

pub fn exposed(customer_id: &str, decision_id: &str, at: DateTime<Utc>) -> Entry {
    Entry::Exposure(proto::ExposureEntry {
        experiment_id: SEED.to_owned(),
        customer_id: customer_id.to_owned(),
        decision_id: decision_id.to_owned(),
        at: Some(timestamp(at)),
        ..Default::default()
    })
}

/// A conversion worth so many units of currency, received as it happened.
pub fn bought(
    outcome_id: &str,
    customer_id: &str,
    value: i64,
    at: DateTime<Utc>,
) -> proto::OutcomeEntry {
    proto::OutcomeEntry {
        outcome_id: outcome_id.to_owned(),
        customer_id: customer_id.to_owned(),
        key: "conversion".to_owned(),
        positive: true,
        value_e4: Some(value * 10_000),
        occurred_at: Some(timestamp(at)),
        received_at: Some(timestamp(at)),
        ..Default::default()
    }
}

/// Code and reason of an error, and the fields it names.
pub fn shown(status: &Status) -> (Code, String, Vec<String>) {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let violations =
        details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    (status.code(), reason, violations.into_iter().map(|violation| violation.field).collect())
}

/// An INVALID_ARGUMENT that names these fields.
pub fn invalid(fields: &[&str]) -> (Code, String, Vec<String>) {
    (
        Code::InvalidArgument,
        "INVALID_FIELD".to_owned(),
        fields.iter().map(|field| (*field).to_owned()).collect(),
    )
}

/// An error that names no field.
pub fn refused(code: Code, reason: &str) -> (Code, String, Vec<String>) {
    (code, reason.to_owned(), Vec::new())
}
