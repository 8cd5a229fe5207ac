//! Effect models: learned from experiments, and the life of what was learned.

use std::{collections::BTreeMap, io::Read as _};

use database::Location;
use history::timestamp;
use proffer_proto::{
    experiment::v1::{
        self as proto, Arm, EffectModel, EffectModelStatus as Stage, ledger_entry::Entry,
        train_effect_model_with_progress_response::Part,
    },
    values::v1::{Value, value::Kind},
};
use testkit::WrittenLog;
use tonic::{Code, Status};

use super::suite::*;

pub const ELSEWHERE: &str = "exp_elsewhere";

fn external() -> proto::Experiment {
    proto::Experiment {
        name: "Elsewhere".to_owned(),
        assignment_source: proto::AssignmentSource::External.into(),
        holdout_percentage: Some(50.0),
        starts_at: Some(timestamp(day(-900))),
        duration: "14 days".to_owned(),
        outcome_window_days: Some(14),
        ..Default::default()
    }
}

pub async fn train(suite: &Suite, metric: &str, name: &str) -> Result<EffectModel, Status> {
    let request = proto::TrainEffectModelRequest {
        experiment_id: "Elsewhere".to_owned(),
        metric: metric.to_owned(),
        name: name.to_owned(),
        ..Default::default()
    };
    let trained = suite.effect_models.clone().train_effect_model(request).await?;
    Ok(trained.into_inner().effect_model.unwrap())
}

async fn get(suite: &Suite, id: &str) -> Result<EffectModel, Status> {
    let request = proto::GetEffectModelRequest { id: id.to_owned() };
    let found = suite.effect_models.clone().get_effect_model(request).await?;
    Ok(found.into_inner().effect_model.unwrap())
}

pub async fn set(suite: &Suite, id: &str, status: Stage) -> Result<EffectModel, Status> {
    let effect_model = EffectModel { status: status.into(), ..Default::default() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["status".to_owned()] });
    let request = proto::UpdateEffectModelRequest {
        id: id.to_owned(),
        effect_model: Some(effect_model),
        update_mask,
    };
    let changed = suite.effect_models.clone().update_effect_model(request).await?;
    Ok(changed.into_inner().effect_model.unwrap())
}

pub async fn card(suite: &Suite, id: &str) -> Result<proto::ModelCard, Status> {
    let request = proto::GetEffectModelCardRequest { id: id.to_owned() };
    let found = suite.effect_models.clone().get_effect_model_card(request).await?;
    Ok(found.into_inner().card.unwrap())
}

async fn delete(suite: &Suite, id: &str) -> Result<(), Status> {
    let request = proto::DeleteEffectModelRequest { id: id.to_owned(), ..Default::default() };
    suite.effect_models.clone().delete_effect_model(request).await.map(drop)
}

/// A customer of an experiment that ran elsewhere.
struct Customer {
    id: String,
    is_treated: bool,
    covariates: BTreeMap<String, Value>,
    /// Key and value of what the customer did.
    did: Vec<(&'static str, Option<i64>)>,
}

fn number(number: f64) -> Value {
    Value { kind: Some(Kind::DoubleValue(number)) }
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

async fn import(suite: &Suite, customers: &[Customer]) {
    for some in customers.chunks(1_000) {
        let assignments = some.iter().map(|customer| proto::ImportedAssignment {
            customer_id: customer.id.clone(),
            arm: if customer.is_treated { Arm::Treatment } else { Arm::Holdout }.into(),
            assigned_at: Some(timestamp(day(-899))),
            covariates: customer.covariates.clone(),
        });
        let request = proto::ImportAssignmentsRequest {
            id: ELSEWHERE.to_owned(),
            assignments: assignments.collect(),
            ..Default::default()
        };
        let answer = suite.experiments.clone().import_assignments(request).await.unwrap();
        assert_eq!(answer.get_ref().refused, 0, "{:?}", answer.get_ref().faults);
        let outcomes = some.iter().flat_map(|customer| {
            customer.did.iter().map(|(key, value_e4)| {
                Entry::Outcome(proto::OutcomeEntry {
                    outcome_id: format!("{}-{key}", customer.id),
                    key: (*key).to_owned(),
                    value_e4: *value_e4,
                    received_at: Some(timestamp(start())),
                    ..bought("", &customer.id, 0, day(-897))
                })
            })
        });
        suite.deliver_through(outcomes.collect::<Vec<_>>(), Some(start())).await.unwrap();
    }
}

/// Contact moves those whose `warmth` is above 0.
fn synthetic(count: usize) -> Vec<Customer> {
    let mut state = 17_u64;
    let mut unit = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let customer = |index: usize| {
        let (warmth, is_treated) = (2.0 * unit() - 1.0, unit() < 0.5);
        let buys = unit() < if is_treated && warmth > 0.0 { 0.6 } else { 0.2 };
        Customer {
            id: format!("customer-{index}"),
            is_treated,
            covariates: BTreeMap::from([
                ("warmth".to_owned(), number(warmth)),
                ("zip".to_owned(), text(["Urban", "Rural", "Surburban"][index % 3])),
            ]),
            did: if buys { vec![("conversion", Some(200_000))] } else { Vec::new() },
        }
    };
    (0..count).map(customer).collect()
}

pub async fn with_synthetic(suite: &Suite) {
    suite.create(external()).await.unwrap();
    import(suite, &synthetic(2_000)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_says_how_far_it_is_and_ends_with_the_draft() {
    on_both(async |suite| {
        suite.create(external()).await.unwrap();
        import(&suite, &synthetic(1_200)).await;
        let about = |id: &str| {
            let experiment_id = id.to_owned();
            let request = proto::TrainEffectModelRequest { experiment_id, ..Default::default() };
            proto::TrainEffectModelWithProgressRequest { request: Some(request) }
        };
        let begin =
            async |asked| suite.effect_models.clone().train_effect_model_with_progress(asked).await;
        let mut parts = begin(about("Elsewhere")).await.unwrap().into_inner();
        let mut all = Vec::new();
        while let Some(part) = parts.message().await.unwrap() {
            all.push(part.part.unwrap());
        }
        let Some(Part::EffectModel(model)) = all.pop() else { panic!("{all:?}") };
        assert_eq!((model.status(), model.training.unwrap().rows), (Stage::Draft, 1_200));
        let said: Vec<_> = all
            .iter()
            .map(|part| match part {
                Part::Progress(progress) => (progress.stage(), progress.rows),
                Part::EffectModel(model) => panic!("{model:?}"),
            })
            .collect();
        use proto::TrainingStage::{Fitting, Reading, Storing};
        assert_eq!(said, [(Reading, 1_000), (Reading, 1_200), (Fitting, 1_200), (Storing, 0)]);
        assert_eq!(begin(about("none")).await.unwrap_err().code(), Code::NotFound);
        let nothing = proto::TrainEffectModelWithProgressRequest { request: None };
        assert_eq!(shown(&begin(nothing).await.unwrap_err()), invalid(&["request"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_a_draft_until_it_is_set_active_and_archives_the_one_before() {
    on_both(async |suite| {
        with_synthetic(&suite).await;
        let first = train(&suite, "", "").await.unwrap();
        assert_eq!(first.id, "effect_elsewhere_conversion_rate_v1");
        assert_eq!((first.status(), first.version, first.why.len()), (Stage::Draft, 1, 0));
        assert_eq!((first.flow_id.as_str(), first.experiment_id.as_str()), ("", ELSEWHERE));
        assert!(first.card.is_none() && first.warnings.is_empty(), "{:?}", first.warnings);
        let fit = first.fit.as_ref().unwrap();
        assert_eq!((fit.folds.len(), fit.bins.len(), fit.columns.len()), (5, 10, 2));
        let last = fit.bins.last().unwrap();
        assert!(last.effect > 0.2 && last.money_effect > 4.0, "{last:?}");
        let training = first.training.as_ref().unwrap();
        assert_eq!((training.rows, training.data_set.len()), (2_000, 64));
        let second = train(&suite, "conversion_rate", "").await.unwrap();
        assert_eq!(second.version, 2);
        let of_both = [&first, &second].map(|it| it.training.as_ref().unwrap().data_set.clone());
        assert_eq!(of_both[0], of_both[1], "the same rows");
        assert_eq!(first.fit, second.fit, "the same rows teach the same");
        let active = set(&suite, &first.id, Stage::Active).await.unwrap();
        assert!(active.warnings.is_empty(), "{:?}", active.warnings);
        set(&suite, &second.id, Stage::Shadow).await.unwrap();
        assert_eq!(get(&suite, &first.id).await.unwrap().status(), Stage::Active);
        let active = set(&suite, &second.id, Stage::Active).await.unwrap();
        assert_eq!(active.warnings, [format!("effect model `{}` is archived", first.name)]);
        let archived = get(&suite, &first.name).await.unwrap();
        assert_eq!((archived.status(), &archived.fit), (Stage::Archived, &first.fit));
        let again = set(&suite, &first.id, Stage::Active).await.unwrap_err();
        assert_eq!(shown(&again), refused(Code::FailedPrecondition, "WRONG_STATE"));
        let other = train(&suite, "revenue_per_customer", "In money").await.unwrap();
        assert_eq!((other.version, other.fit.as_ref().unwrap().in_money), (1, true));
        set(&suite, &other.id, Stage::Active).await.unwrap();
        assert_eq!(
            get(&suite, &second.id).await.unwrap().status(),
            Stage::Active,
            "another metric"
        );
        let active = delete(&suite, &second.id).await.unwrap_err();
        assert_eq!(shown(&active), refused(Code::FailedPrecondition, "WRONG_STATE"));
        delete(&suite, &first.id).await.unwrap();
        assert_eq!(get(&suite, &first.id).await.unwrap_err().code(), Code::NotFound);
        let request =
            proto::ListEffectModelsRequest { status: Stage::Active.into(), ..Default::default() };
        let listed = suite.effect_models.clone().list_effect_models(request).await.unwrap();
        let listed = listed.into_inner().effect_models;
        assert_eq!(
            listed.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(),
            [second.id.as_str(), "effect_in_money"]
        );
        assert!(listed.iter().all(|model| model.card.is_none()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learned_is_not_changed_by_an_update() {
    on_both(async |suite| {
        with_synthetic(&suite).await;
        let trained = train(&suite, "", "").await.unwrap();
        let effect_model = EffectModel {
            name: "Who is moved".to_owned(),
            description: "by warmth".to_owned(),
            metric: "outcome:visit".to_owned(),
            version: 9,
            fit: None,
            ..Default::default()
        };
        let request = proto::UpdateEffectModelRequest {
            id: trained.id.clone(),
            effect_model: Some(effect_model),
            update_mask: None,
        };
        let changed = suite.effect_models.clone().update_effect_model(request).await.unwrap();
        let changed = changed.into_inner().effect_model.unwrap();
        assert_eq!(
            (changed.name.as_str(), changed.description.as_str()),
            ("Who is moved", "by warmth")
        );
        assert_eq!((&changed.fit, changed.version), (&trained.fit, 1));
        assert_eq!((&changed.metric, changed.status()), (&trained.metric, Stage::Draft));
        assert!(card(&suite, &trained.id).await.is_ok(), "and its card is still there");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_outcomes_say_what_there_is_and_what_is_needed() {
    on_both(async |suite| {
        suite.create(external()).await.unwrap();
        import(&suite, &synthetic(300)).await;
        let trained = train(&suite, "", "").await.unwrap();
        assert!(trained.fit.is_none());
        let have = trained.training.as_ref().unwrap().events_held_out;
        assert!((1..100).contains(&have), "{have}");
        let why = format!("customers held out with the outcome: have {have}, need 100");
        assert!(trained.why.contains(&why), "{:?}", trained.why);
        for stage in [Stage::Shadow, Stage::Active] {
            let error = set(&suite, &trained.id, stage).await.unwrap_err();
            assert_eq!(shown(&error), refused(Code::FailedPrecondition, "WRONG_STATE"));
            assert!(error.message().contains(&why), "{error}");
        }
        let error = card(&suite, &trained.id).await.unwrap_err();
        assert_eq!(shown(&error), refused(Code::FailedPrecondition, "WRONG_STATE"));
        let error = train(&suite, "count:visit", "").await.unwrap_err();
        assert_eq!(shown(&error), invalid(&["metric"]));
        let draft = proto::Experiment {
            name: "Elsewhere 2".to_owned(),
            status: proto::ExperimentStatus::Draft.into(),
            ..external()
        };
        let draft = suite.create(draft).await.unwrap();
        let request =
            proto::TrainEffectModelRequest { experiment_id: draft.id, ..Default::default() };
        let error = suite.effect_models.clone().train_effect_model(request).await.unwrap_err();
        assert_eq!(shown(&error), refused(Code::FailedPrecondition, "WRONG_STATE"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_an_experiment_elsewhere_is_about_the_flow_that_was_named() {
    on_both(async |suite| {
        let flows = WrittenLog::of(&[("decision_flow", "flow_winback", "Winback")]);
        suite.app.follow(std::sync::Arc::new(flows));
        with_synthetic(&suite).await;
        let train = async |experiment: &str, flow: &str| {
            let request = proto::TrainEffectModelRequest {
                experiment_id: experiment.to_owned(),
                flow_id: flow.to_owned(),
                ..Default::default()
            };
            let trained = suite.effect_models.clone().train_effect_model(request).await?;
            Ok::<_, Status>(trained.into_inner().effect_model.unwrap())
        };
        let named = train(ELSEWHERE, " winback ").await.unwrap();
        assert_eq!(named.flow_id, "flow_winback");
        let unknown = train(ELSEWHERE, "Winbak").await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
        assert!(unknown.message().contains("did you mean `Winback`?"), "{unknown}");
        // The flow's own experiment teaches about its flow, and takes the same place.
        let own = suite.create(running()).await.unwrap();
        let refused = train(&own.id, "flow_winback").await.unwrap_err();
        assert_eq!(shown(&refused), invalid(&["flow_id"]));
        assert!(refused.message().contains("must be left out"), "{refused}");
        set(&suite, &named.id, Stage::Active).await.unwrap();
        let again = train(ELSEWHERE, "flow_winback").await.unwrap();
        let active = set(&suite, &again.id, Stage::Active).await.unwrap();
        assert_eq!(active.warnings, [format!("effect model `{}` is archived", named.name)]);
        let nowhere = train(ELSEWHERE, "").await.unwrap();
        assert_eq!(nowhere.flow_id, "");
        set(&suite, &nowhere.id, Stage::Active).await.unwrap();
        assert_eq!(get(&suite, &again.id).await.unwrap().status(), Stage::Active);
        // A universal holdout has no flow of its own either.
        let all = proto::Experiment { flow_id: "*".to_owned(), ..on_flow("All", "*") };
        let all = suite.create(all).await.unwrap();
        assert_eq!(train(&all.id, "Winback").await.unwrap().flow_id, "flow_winback");
        assert_eq!(train(&all.id, "").await.unwrap().flow_id, "");
    })
    .await;
}

/// The first customers of Hillstrom's experiment who got the women's e-mail or none.
fn hillstrom(count: usize) -> Vec<Customer> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hillstrom/hillstrom.csv.gz");
    let mut unpacked = String::new();
    let packed = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut unpacked).unwrap();
    let mut reader = csv::Reader::from_reader(unpacked.as_bytes());
    let names = reader.headers().unwrap().clone();
    let records = reader.records().map(Result::unwrap);
    let of_both = records.filter(|record| &record[8] != "Mens E-Mail");
    of_both
        .take(count)
        .enumerate()
        .map(|(index, record)| {
            let at = |name: &str| &record[names.iter().position(|it| it == name).unwrap()];
            let numbers = ["recency", "history", "mens", "womens", "newbie"];
            let numbers = numbers.map(|name| (name.to_owned(), number(at(name).parse().unwrap())));
            let texts = ["zip_code", "channel"].map(|name| (name.to_owned(), text(at(name))));
            let mut did = Vec::new();
            if at("visit") == "1" {
                did.push(("visit", None));
            }
            if at("conversion") == "1" {
                let spend: f64 = at("spend").parse().unwrap();
                did.push(("conversion", Some((spend * 10_000.0).round() as i64)));
            }
            Customer {
                id: format!("hillstrom-{index}"),
                is_treated: at("segment") == "Womens E-Mail",
                covariates: numbers.into_iter().chain(texts).collect(),
                did,
            }
        })
        .collect()
}

/// By numpy, with the folds of these ids: Q .00912 (.00187), .00466 by propensity, slope .726.
#[tokio::test(flavor = "multi_thread")]
async fn hillstroms_experiment_is_imported_and_teaches_whom_the_womens_mail_moves() {
    let folder = tempfile::tempdir().unwrap();
    let suite = Suite::start(Location::Folder(folder.path().to_owned())).await;
    suite.create(external()).await.unwrap();
    import(&suite, &hillstrom(12_000)).await;
    let trained = train(&suite, "outcome:visit", "Women's mail").await.unwrap();
    assert_eq!(trained.why, Vec::<String>::new());
    let training = trained.training.unwrap();
    assert_eq!((training.rows, training.treatment_probability), (12_000, 0.5));
    let fit = trained.fit.unwrap();
    let columns: Vec<_> = fit.columns.iter().map(|column| column.field.as_str()).collect();
    let features = ["channel", "history", "mens", "newbie", "recency", "womens", "zip_code"];
    assert_eq!(columns, features);
    assert_eq!(fit.columns[0].values, ["Multichannel", "Phone", "Web"]);
    let card = card(&suite, &trained.id).await.unwrap();
    let close = |what: &str, found: f64, expected: f64| {
        assert!((found - expected).abs() < 0.02 * expected, "{what}: {found} is not {expected}");
    };
    let qini = card.qini.unwrap();
    close("Q", qini.value, 0.009_12);
    close("its error", qini.error, 0.001_87);
    close("Q by propensity", card.qini_by_propensity.unwrap().value, 0.004_66);
    close("slope", card.slope.unwrap().value, 0.726);
    close("AUC", card.propensity_auc.unwrap(), 0.622);
    assert_eq!((card.bins.len(), card.calibration.len(), card.curve.len()), (10, 10, 101));
    assert!(card.summary.starts_with("the effect model ranks: Q 0.009"), "{}", card.summary);
    assert_eq!(card.bins.last().unwrap().segment, "persuadable");
    let request = proto::GetEffectModelPictureRequest { id: "Women's mail".to_owned() };
    let picture = suite.effect_models.clone().get_effect_model_picture(request).await.unwrap();
    let picture = picture.into_inner().picture.unwrap();
    assert_eq!(picture.content_type, "image/svg+xml");
    assert!(picture.text.contains("<svg") && picture.text.contains("AUTOC"));
    for metric in ["conversion_rate", "revenue_per_customer"] {
        let trained = train(&suite, metric, "").await.unwrap();
        assert!(trained.fit.is_none(), "{metric}: too few buy");
        assert!(trained.why.iter().all(|why| why.contains("have") && why.contains("need")));
    }
}
