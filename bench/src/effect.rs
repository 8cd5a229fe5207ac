//! Server CPU time of a decision whose flow has an active effect model, compared with one without.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail, ensure};
use proffer_proto::{
    decision::v1::{
        OutcomeReport, RespondBatchRequest, outcome_service_client::OutcomeServiceClient,
    },
    experiment::v1::{
        Arm, AssignmentSource, CreateExperimentRequest, EffectModel, EffectModelStatus, Experiment,
        ImportAssignmentsRequest, ImportedAssignment, TrainEffectModelRequest,
        UpdateEffectModelRequest, effect_model_service_client::EffectModelServiceClient,
        experiment_service_client::ExperimentServiceClient,
    },
    values::v1::{Value, value::Kind},
};
use prost_types::{FieldMask, Timestamp};

use crate::{
    campaign::{Campaign, Size, checked},
    processor,
    ratio::{self, Goal, Term},
    recommend::{CUSTOMERS, plain},
};

/// Customers of the experiment that the model is learned from.
const LEARNED: u64 = 800;
/// Of the experiment that ran before; in seconds since 1970.
const STARTED: i64 = 1_767_225_600;
const DAY: i64 = 86_400;
const EXPERIMENT: &str = "exp_elsewhere";
/// Polls until everything is counted, and until decisions use the model.
const POLLS_MAX: usize = 300;
const POLL: Duration = Duration::from_millis(100);

/// A decision with an active effect model compared with one without.
pub fn run(rounds: usize) -> anyhow::Result<()> {
    processor::call(move || async move {
        let size = Size { offers: 9, customers: CUSTOMERS };
        let (with, without) = (Campaign::start(size).await?, Campaign::start(size).await?);
        teach(&with).await?;
        let mut terms = [
            Term::new("server CPU of a decision with an effect model, µs"),
            Term::new("server CPU of a decision without, µs"),
            Term::new("the same again"),
        ];
        plain(&with).await?;
        plain(&without).await?;
        for _ in 0..rounds {
            terms[0].rounds.push(plain(&with).await?);
            terms[1].rounds.push(plain(&without).await?);
            terms[2].rounds.push(plain(&without).await?);
        }
        let title = "A decision with an active effect model over one without, gRPC, 9 offers";
        ratio::print(title, &terms[0], &terms[1], &terms[2], Goal::AtMost(1.3));
        Ok(())
    })
}

fn at(day: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds: STARTED + day * DAY, nanos: 0 })
}

/// Of four customers two are treated, and of the treated those with few purchases are moved.
fn is_treated(number: u64) -> bool {
    number.is_multiple_of(2)
}

fn is_moved(number: u64) -> bool {
    (number / 2).is_multiple_of(2)
}

fn customer(number: u64) -> String {
    format!("past{number:04}")
}

/// Imports an experiment that ran elsewhere, learns from it, and sets the model active.
async fn teach(campaign: &Campaign) -> anyhow::Result<()> {
    let experiment = Experiment {
        name: "Elsewhere".to_owned(),
        assignment_source: AssignmentSource::External.into(),
        holdout_percentage: Some(50.0),
        starts_at: at(0),
        duration: "30 days".to_owned(),
        ..Default::default()
    };
    let mut experiments = ExperimentServiceClient::new(campaign.channel.clone());
    let request = CreateExperimentRequest { experiment: Some(experiment), ..Default::default() };
    experiments.create_experiment(request).await?;
    let request = ImportAssignmentsRequest {
        id: EXPERIMENT.to_owned(),
        assignments: (0..LEARNED).map(assignment).collect(),
        ..Default::default()
    };
    let answer = experiments.import_assignments(request).await?.into_inner();
    ensure!(answer.refused == 0, "arms were refused: {answer:?}");
    let request = RespondBatchRequest {
        outcomes: (0..LEARNED).filter_map(outcome).collect(),
        ..Default::default()
    };
    let mut outcomes = OutcomeServiceClient::new(campaign.channel.clone());
    let answer = outcomes.respond_batch(request).await?.into_inner();
    ensure!(answer.refused == 0, "outcomes were refused: {answer:?}");
    activate(campaign, i64::from(answer.accepted)).await?;
    known(campaign).await
}

fn assignment(number: u64) -> ImportedAssignment {
    let value = |number: f64| Value { kind: Some(Kind::DoubleValue(number)) };
    let purchases = if is_moved(number) { 5.0 } else { 30.0 };
    ImportedAssignment {
        customer_id: customer(number),
        arm: if is_treated(number) { Arm::Treatment } else { Arm::Holdout }.into(),
        assigned_at: at(1),
        covariates: BTreeMap::from([
            ("lifetimePurchases".to_owned(), value(purchases)),
            ("lifetimeRevenue".to_owned(), value((number * 37 % 900) as f64)),
            ("daysSinceLastPurchase".to_owned(), value((90 + number * 13 % 200) as f64)),
        ]),
    }
}

/// Customers with many purchases buy; those with few when they are treated, every second one.
fn outcome(number: u64) -> Option<OutcomeReport> {
    let buys = !is_moved(number) || (is_treated(number) && number.is_multiple_of(8));
    buys.then(|| OutcomeReport {
        customer_id: customer(number),
        outcome: "conversion".to_owned(),
        occurred_at: at(3),
        idempotency_key: format!("order-{number}"),
        ..Default::default()
    })
}

/// Learns once all outcomes are counted, and sets the model active.
async fn activate(campaign: &Campaign, events: i64) -> anyhow::Result<()> {
    let mut models = EffectModelServiceClient::new(campaign.channel.clone());
    for _ in 0..POLLS_MAX {
        let request = TrainEffectModelRequest {
            experiment_id: EXPERIMENT.to_owned(),
            flow_id: "flow_winback".to_owned(),
            ..Default::default()
        };
        let model = models.train_effect_model(request).await?.into_inner().effect_model;
        let model = model.context("the answer has no model")?;
        let counted = model.training.clone().unwrap_or_default();
        if counted.events_treated + counted.events_held_out < events {
            tokio::time::sleep(POLL).await;
            continue;
        }
        ensure!(model.fit.is_some(), "no model: {:?}", model.why);
        let active = EffectModel { status: EffectModelStatus::Active.into(), ..Default::default() };
        let request = UpdateEffectModelRequest {
            id: model.id,
            effect_model: Some(active),
            update_mask: Some(FieldMask { paths: vec!["status".to_owned()] }),
        };
        models.update_effect_model(request).await?;
        return Ok(());
    }
    bail!("the outcomes were never counted")
}

/// Waits until decisions use the model.
async fn known(campaign: &Campaign) -> anyhow::Result<()> {
    let mut client = campaign.decisions();
    for _ in 0..POLLS_MAX {
        let answer = client.recommend(campaign.request(0)).await?.into_inner();
        let decision = answer.decision.context("the answer has no decision")?;
        checked(&decision)?;
        let trace = decision.decisions.first().and_then(|offer| offer.trace.as_ref());
        if trace.is_some_and(|trace| trace.cate.is_some()) {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    bail!("decisions do not use the model")
}
