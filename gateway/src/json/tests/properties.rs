//! What holds for every message: printed and read again it is the same, and no input does harm.

use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng},
};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value,
};

use super::{is_same, printed, read, shape, shapes};
use crate::json::shape::{Form, Shape, Target};

/// How deep made messages go.
const DEPTH_MAX: usize = 6;

/// Makes any message that a caller could have sent.
struct Maker {
    rng: TestRng,
}

impl Maker {
    fn new(seed: [u8; 32]) -> Self {
        Self { rng: TestRng::from_seed(RngAlgorithm::ChaCha, &seed) }
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.rng.next_u32() % bound
    }

    fn message(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        match descriptor.full_name() {
            "google.protobuf.Timestamp" => {
                let seconds = i64::from(self.rng.next_u32()) * 70 - 62_135_596_800;
                message.set_field_by_name("seconds", Value::I64(seconds));
                message.set_field_by_name("nanos", Value::I32(self.below(1_000_000_000) as i32));
                return message;
            }
            "google.protobuf.FieldMask" => return message,
            "proffer.values.v1.Value" => return self.value(message, depth),
            _ => {}
        }
        let Shape { form, .. } = shapes().named(descriptor.full_name()).unwrap();
        for field in descriptor.fields() {
            let is_ours = matches!(form, Form::Object(object) if matches!(
                object.keys.get(field.json_name()),
                Some(Target::Field(planned)) if planned.options.output_only
            ));
            // What could not be read is no part of JSON.
            let is_unread = field.name() == "unread";
            if is_ours
                || is_unread
                || self.below(3) == 0
                || (depth == 0 && matches!(field.kind(), Kind::Message(_)))
            {
                continue;
            }
            let value = self.field(&field, depth);
            // Null in place of a bare value reads as unset.
            let is_null = matches!(&value, Value::Message(value)
                if value.descriptor().name() == "Value" && value.fields().next().is_none());
            if !is_null {
                message.set_field(&field, value);
            }
        }
        message
    }

    /// A value as it is read: text, a whole number, a decimal with a fraction, and so on.
    fn value(&mut self, mut message: DynamicMessage, depth: usize) -> DynamicMessage {
        let whole = (self.rng.next_u64() as i64) >> self.below(63);
        match self.below(if depth == 0 { 5 } else { 6 }) {
            0 => message.set_field_by_name("string_value", Value::String(self.text())),
            1 => message.set_field_by_name("integer_value", Value::I64(whole)),
            2 => message.set_field_by_name("boolean_value", Value::Bool(whole > 0)),
            3 => {
                let decimal = format!("{}.{:03}", whole % 1_000_000_000, self.below(1000));
                message.set_field_by_name("decimal_value", Value::String(decimal));
            }
            4 => {}
            _ => {
                let list = message.descriptor().get_field_by_name("list_value").unwrap();
                let value = self.field(&list, depth);
                message.set_field(&list, value);
            }
        }
        message
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let count = self.below(4);
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { unreachable!() };
            let value_field = entry.map_entry_value_field();
            let entries = (0..count)
                .map(|_| (MapKey::String(self.map_key()), self.single(&value_field, depth)));
            return Value::Map(entries.collect());
        }
        if field.is_list() {
            return Value::List((0..count).map(|_| self.single(field, depth)).collect());
        }
        self.single(field, depth)
    }

    fn single(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        match field.kind() {
            Kind::Bool => Value::Bool(self.below(2) == 0),
            Kind::Int32 => Value::I32(self.rng.next_u32() as i32),
            Kind::Int64 => Value::I64(self.rng.next_u64() as i64),
            Kind::Double => Value::F64(self.double()),
            Kind::String => Value::String(self.text()),
            Kind::Enum(words) => {
                // Zero has no word and is left out; in our messages no list or map holds words.
                let numbers: Vec<_> = words.values().map(|value| value.number()).collect();
                Value::EnumNumber(numbers[self.below(numbers.len() as u32) as usize])
            }
            Kind::Message(message) => {
                Value::Message(self.message(&message, depth.saturating_sub(1)))
            }
            other => panic!("no {other:?} in our contracts"),
        }
    }

    fn double(&mut self) -> f64 {
        match self.below(4) {
            0 => f64::from(self.below(101)),
            1 => f64::from(self.rng.next_u32()) / 1e4,
            _ => Some(f64::from_bits(self.rng.next_u64()))
                .filter(|value| value.is_finite())
                .unwrap_or(0.5),
        }
    }

    fn text(&mut self) -> String {
        const CHARS: [char; 14] = [
            'a', 'Z', '_', '0', ' ', '"', '\\', '\n', '\u{1}', '/', 'é', '\u{2028}', '😀', '\u{7f}',
        ];
        (0..self.below(8)).map(|_| CHARS[self.below(CHARS.len() as u32) as usize]).collect()
    }

    /// Keys of a record that are not the record's own.
    fn map_key(&mut self) -> String {
        format!("k{}", self.text())
    }
}

fn check_round_trip(name: &str, seed: [u8; 32]) {
    let message = Maker::new(seed).message(&shape(name).descriptor, DEPTH_MAX);
    let text = printed(name, &message);
    let again = read(name, &text).unwrap_or_else(|faults| panic!("{faults:?}: {text}"));
    assert!(is_same(&again, &message), "{text}\n{}", printed(name, &again));
}

proptest! {
    #[test]
    fn an_offer_is_the_same_after_printing_and_reading(seed: [u8; 32]) {
        check_round_trip("catalog.Offer", seed);
    }

    #[test]
    fn a_flow_is_the_same_after_printing_and_reading(seed: [u8; 32]) {
        check_round_trip("decision.DecisionFlow", seed);
    }

    #[test]
    fn a_contact_policy_is_the_same_after_printing_and_reading(seed: [u8; 32]) {
        check_round_trip("policy.ContactPolicy", seed);
    }

    #[test]
    fn any_other_message_is_the_same_after_printing_and_reading(seed: [u8; 32]) {
        for name in [
            "catalog.BatchPutRecordsRequest", "catalog.Schema", "catalog.Category",
            "catalog.OutcomeType", "catalog.BehavioralMetric", "catalog.Creative",
            "catalog.Placement", "policy.Channel", "policy.PutConsentRequest",
            "decision.RecommendRequest", "decision.RespondBatchRequest", "decision.DecisionRecord",
            "decision.Decision", "experiment.Experiment", "experiment.Results",
        ] {
            check_round_trip(name, seed);
        }
    }

    #[test]
    fn what_was_printed_is_printed_again(text in "[\\[\\]{}:,\"a-c0-9 .e\\-]{0,40}") {
        if let Ok(message) = read("values.Value", &text) {
            let once = printed("values.Value", &message);
            let again = read("values.Value", &once).unwrap();
            prop_assert_eq!(printed("values.Value", &again), once);
        }
    }
}
