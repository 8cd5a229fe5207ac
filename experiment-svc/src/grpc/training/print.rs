//! Training rows as they are exported, and the head before them.

use std::collections::BTreeMap;

use history::timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use proffer_proto::{
    experiment::v1 as proto,
    values::v1::{Value, value::Kind},
};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tonic::Status;
use uplift::{Field, Fitting, Kind as FieldKind, Value as Number};

use crate::domain::{
    analysis::Arm,
    training::{FeatureValue, RowLeftOut, TrainingRow, TrainingSet},
};

/// Whole numbers per unit of currency.
const UNITS: f64 = 10_000.0;

/// A row without anything that names its customer.
pub fn row(row: &TrainingRow, key: &[u8]) -> Result<proto::TrainingRow, Status> {
    let features = row.features.iter().map(|(name, found)| (name.clone(), value(found)));
    Ok(proto::TrainingRow {
        customer: hashed(&row.customer_id, key)?,
        fold: i32::try_from(row.fold).unwrap_or_default(),
        arm: match row.arm {
            Arm::Treatment => proto::Arm::Treatment,
            Arm::Holdout => proto::Arm::Holdout,
        }
        .into(),
        epoch: row.epoch,
        treatment_probability: row.treatment_probability,
        gate_probability: row.gate_probability,
        offer: row.offer_ids.first().cloned().unwrap_or_default(),
        offers: row.offer_ids.clone(),
        category: row.category_id.clone(),
        channel: row.channel.clone(),
        exposed_at: Some(timestamp(serve::from_micros(row.exposed_us))),
        outcome: row.outcome.into(),
        value: row.value_e4 as f64 / UNITS,
        matured: row.is_matured,
        ghost: row.is_ghost,
        features: features.collect(),
    })
}

/// The name of a customer in exports.
fn hashed(customer_id: &str, key: &[u8]) -> Result<String, Status> {
    let hash = Hmac::<Sha256>::new_from_slice(key).map_err(|error| serve::internal(&error))?;
    Ok(hex::encode(hash.chain_update(customer_id).finalize().into_bytes()))
}

fn value(found: &FeatureValue) -> Value {
    Value {
        kind: Some(match found {
            FeatureValue::Number(number) => Kind::DoubleValue(*number),
            FeatureValue::Boolean(is) => Kind::BooleanValue(*is),
            FeatureValue::Text(text) => Kind::StringValue(text.clone()),
        }),
    }
}

/// What the head says, row by row.
pub struct Counted<'s> {
    set: &'s TrainingSet,
    hash: Sha256,
    rows: i64,
    left_out: BTreeMap<RowLeftOut, u64>,
    fitting: Fitting,
}

impl<'s> Counted<'s> {
    /// Nothing yet.
    pub fn new(set: &'s TrainingSet) -> Self {
        let (hash, fitting) = (Sha256::new(), Fitting::default());
        Self { set, hash, rows: 0, left_out: BTreeMap::new(), fitting }
    }

    /// Counts customers that are in no row.
    pub fn leave_out(&mut self, left_out: &BTreeMap<RowLeftOut, u64>) {
        for (why, count) in left_out {
            *self.left_out.entry(*why).or_default() += count;
        }
    }

    /// Counts a row, which is shown as `shown`.
    pub fn add(&mut self, row: &TrainingRow, shown: &proto::TrainingRow) {
        self.hash.update(shown.encode_length_delimited_to_vec());
        self.rows += 1;
        let number = |(name, found): (&String, &FeatureValue)| {
            let (kind, value) = match found {
                FeatureValue::Number(number) => (FieldKind::Number, Number::Number(*number)),
                FeatureValue::Boolean(is) => {
                    (FieldKind::Boolean, Number::Number(f64::from(u8::from(*is))))
                }
                FeatureValue::Text(text) => (FieldKind::Category, Number::Text(text.clone())),
            };
            (Field { name: name.clone(), kind }, value)
        };
        self.fitting.add(row.features.iter().map(number));
    }

    /// The hash of the rows so far.
    pub fn data_set(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }

    /// The head of the rows so far.
    pub fn head(&self) -> proto::TrainingHead {
        let through = serve::from_micros(self.set.through_us);
        let left_out = self.left_out.iter().map(|(why, count)| proto::RowsLeftOut {
            reason: why.word().to_owned(),
            rows: i64::try_from(*count).unwrap_or(i64::MAX),
        });
        proto::TrainingHead {
            data_set: self.data_set(),
            experiment: self.set.experiment_id.clone(),
            metric: self.set.metric.clone(),
            features: self.fitting.encoding().columns.iter().map(column).collect(),
            counted_through: (self.set.through_us > i64::MIN).then(|| timestamp(through)),
            left_out: left_out.collect(),
            rows: self.rows,
            window_days: i32::try_from(self.set.window_days).unwrap_or(i32::MAX),
        }
    }
}

/// How a feature becomes numbers.
pub fn column(column: &uplift::Column) -> proto::FeatureColumn {
    let kind = match column.field.kind {
        uplift::Kind::Number => proto::FeatureKind::Number,
        uplift::Kind::Date => proto::FeatureKind::Date,
        uplift::Kind::Boolean => proto::FeatureKind::Boolean,
        uplift::Kind::Category => proto::FeatureKind::Category,
    };
    proto::FeatureColumn {
        field: column.field.name.clone(),
        kind: kind.into(),
        mean: column.mean,
        deviation: column.deviation,
        missing_indicator: column.has_indicator,
        values: column.texts.clone(),
    }
}
