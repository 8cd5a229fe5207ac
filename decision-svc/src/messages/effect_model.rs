//! Reads effect models as experiment-svc publishes them.

use proffer_proto::experiment::v1 as proto;
use uplift::{Bin, Column, Encoding, Field, FoldModel, Kind, Model, Money};

use crate::domain::effect::EffectModel;

/// A model that is active or in the shadow, with its id and written by this revision; none for any
/// other. The log keeps ids beside what it stores, not in it.
pub fn read(found: &proto::EffectModel, (id, revision): (&str, i64)) -> Option<EffectModel> {
    let is_shadow = match found.status() {
        proto::EffectModelStatus::Active => false,
        proto::EffectModelStatus::Shadow => true,
        _ => return None,
    };
    let fit = found.fit.as_ref()?;
    Some(EffectModel {
        id: id.to_owned(),
        version: found.version,
        revision,
        category_id: found.category_id.clone(),
        is_shadow,
        encoding: Encoding { columns: fit.columns.iter().map(column).collect() },
        model: model(fit),
    })
}

fn column(found: &proto::FeatureColumn) -> Column {
    let kind = match found.kind() {
        proto::FeatureKind::Category => Kind::Category,
        proto::FeatureKind::Boolean => Kind::Boolean,
        proto::FeatureKind::Date => Kind::Date,
        proto::FeatureKind::Number | proto::FeatureKind::Unspecified => Kind::Number,
    };
    Column {
        field: Field { name: found.field.clone(), kind },
        mean: found.mean,
        deviation: found.deviation,
        has_indicator: found.missing_indicator,
        texts: found.values.clone(),
    }
}

fn model(fit: &proto::EffectFit) -> Model {
    let fold = |found: &proto::FoldModel| FoldModel {
        intercept: found.intercept,
        treatment: found.treatment,
        baseline: found.baseline.clone(),
        interaction: found.interaction.clone(),
        edges: found.edges.clone(),
    };
    let bin = |found: &proto::EffectBin| Bin {
        number: usize::try_from(found.bin).unwrap_or_default(),
        effect: found.effect,
        error: found.error,
        interval: [found.low, found.high],
        helps: found.helps,
        units: u64::try_from(found.customers).unwrap_or_default(),
        money: (found.money_error > 0.0)
            .then_some(Money { effect: found.money_effect, error: found.money_error }),
    };
    Model {
        folds: fit.folds.iter().map(fold).collect(),
        bins: fit.bins.iter().map(bin).collect(),
        average_effect: fit.average_effect,
        slope: fit.slope,
        mean_raw_effect: fit.mean_raw_effect,
        median_baseline: fit.median_baseline,
        in_money: fit.in_money,
    }
}
