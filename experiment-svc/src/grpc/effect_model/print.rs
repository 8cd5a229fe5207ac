//! What was learned, as messages.

use proffer_proto::experiment::v1 as proto;
use uplift::fit::{Card, Figure, Outcome, bins};

use crate::domain::effect_model::Learned;
use crate::grpc::training;

/// A model as far as it was learned; name, experiment and version come later.
pub(super) fn model(learned: &Learned, head: proto::TrainingHead) -> proto::EffectModel {
    let counted = learned.counted;
    let mut left_out = head.left_out;
    left_out.extend(learned.left_out.iter().map(|(reason, rows)| proto::RowsLeftOut {
        reason: (*reason).to_owned(),
        rows: whole(*rows),
    }));
    let (fit, card) = match &learned.outcome {
        Outcome::Model(model, card) => (Some(fit(learned, model)), Some(card)),
        Outcome::NoModel(_, card) => (None, card.as_ref()),
    };
    let why = learned.why();
    let card = card.map(|card| proto::ModelCard {
        summary: why.first().cloned().unwrap_or_else(|| summary(card)),
        left_out: left_out.iter().map(|it| format!("{}: {}", it.reason, it.rows)).collect(),
        ..self::card(card)
    });
    proto::EffectModel {
        category_id: learned.category_id.clone(),
        training: Some(proto::TrainingData {
            data_set: head.data_set,
            counted_through: head.counted_through,
            rows: whole(counted.treated + counted.held_out),
            treated: whole(counted.treated),
            held_out: whole(counted.held_out),
            events_treated: whole(counted.events_treated),
            events_held_out: whole(counted.events_held_out),
            left_out,
            treatment_probability: counted.treatment_probability,
            window_days: head.window_days,
        }),
        fit,
        why,
        card,
        ..Default::default()
    }
}

fn summary(card: &Card) -> String {
    let Figure { value, error } = card.qini;
    let slope = card.slope.map_or(0.0, |slope| slope.value);
    format!(
        "the effect model ranks: Q {value:.5}, {:.1} standard errors above 0; of the predicted \
         differences between effects {:.0} % are real",
        value / error,
        100.0 * slope
    )
}

fn fit(learned: &Learned, model: &uplift::Model) -> proto::EffectFit {
    let fold = |fold: &uplift::FoldModel| proto::FoldModel {
        intercept: fold.intercept,
        treatment: fold.treatment,
        baseline: fold.baseline.clone(),
        interaction: fold.interaction.clone(),
        edges: fold.edges.clone(),
    };
    proto::EffectFit {
        columns: learned.encoding.columns.iter().map(training::column).collect(),
        folds: model.folds.iter().map(fold).collect(),
        bins: model.bins.iter().map(bin).collect(),
        average_effect: model.average_effect,
        slope: model.slope,
        mean_raw_effect: model.mean_raw_effect,
        median_baseline: model.median_baseline,
        in_money: model.in_money,
    }
}

fn bin(bin: &uplift::Bin) -> proto::EffectBin {
    let [low, high] = bin.interval;
    proto::EffectBin {
        bin: number(bin.number),
        effect: bin.effect,
        error: bin.error,
        low,
        high,
        helps: bin.helps,
        customers: whole(bin.units),
        money_effect: bin.money.map_or(0.0, |money| money.effect),
        money_error: bin.money.map_or(0.0, |money| money.error),
    }
}

fn card(card: &Card) -> proto::ModelCard {
    let measured =
        |figure: Figure| Some(proto::Measured { value: figure.value, error: figure.error });
    let observed = |bin: &uplift::Bin| {
        let observed = card.observed.iter().find(|observed| observed.number == bin.number);
        let difference = observed.and_then(|observed| observed.difference);
        proto::CardBin {
            bin: number(bin.number),
            customers: whole(bin.units),
            predicted: observed.map_or(0.0, |observed| observed.predicted),
            observed: difference.map(|figure| figure.value),
            observed_error: difference.map(|figure| figure.error),
            effect: bin.effect,
            ci95: bin.interval.to_vec(),
            segment: bins::name(bin).unwrap_or_default().to_owned(),
        }
    };
    let calibration = card.calibration.iter().map(|point| proto::CalibrationPoint {
        expected: point.expected,
        observed: point.observed,
        error: point.error,
        customers: whole(point.units),
    });
    let curve = card.curve.iter().map(|[share, by_effect, by_propensity]| proto::QiniPoint {
        share: *share,
        by_effect: *by_effect,
        by_propensity: *by_propensity,
    });
    proto::ModelCard {
        qini: measured(card.qini),
        qini_by_propensity: measured(card.qini_by_propensity),
        qini_gain: measured(card.qini_gain),
        autoc: measured(card.autoc),
        slope: card
            .slope
            .and_then(|slope| measured(Figure { value: slope.value, error: slope.error })),
        slope_p: card.slope.map(|slope| slope.p),
        average_effect: measured(card.average),
        average_money: card.average_money.and_then(measured),
        bins: card.bins.iter().map(observed).collect(),
        calibration: calibration.collect(),
        propensity_auc: card.response.map(|response| response.auc),
        propensity_log_loss: card.response.map(|response| response.log_loss),
        curve: curve.collect(),
        ..Default::default()
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn number(bin: usize) -> i32 {
    i32::try_from(bin).unwrap_or(i32::MAX)
}
