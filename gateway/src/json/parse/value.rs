//! Parses single values: scalars, words of enums, bare values and instants.

use formula::calendar;
use prost_reflect::{DynamicMessage, FieldDescriptor, Value};

use super::{Nulls, Reader};
use crate::json::{
    fault::{Place, quoted},
    number,
    shape::{Instant, Kind, Scalar, Words},
    tree::Json,
};

impl Reader<'_, '_> {
    pub(super) fn value(
        &mut self,
        kind: &Kind,
        json: &Json<'_>,
        place: &Place<'_>,
        nulls: Nulls,
    ) -> Option<Value> {
        match kind {
            Kind::Bool => match json {
                Json::Bool(value) => Some(Value::Bool(*value)),
                other => self.refuse(place, "true or false", other),
            },
            Kind::I32 => {
                self.whole(json, place, i32::MIN.into(), i32::MAX.into(), false).map(Value::I32)
            }
            Kind::U32 => self.whole(json, place, 0, u32::MAX.into(), false).map(Value::U32),
            Kind::I64 => {
                self.whole(json, place, i64::MIN.into(), i64::MAX.into(), true).map(Value::I64)
            }
            Kind::U64 => self.whole(json, place, 0, u64::MAX.into(), true).map(Value::U64),
            Kind::F64 => match json {
                Json::Number(text) => match number::double(text) {
                    Some(value) => Some(Value::F64(value)),
                    None => self.refuse_text(place, "a number that fits a double", text),
                },
                other => self.refuse(place, "a number", other),
            },
            Kind::Text => self.text(json, place).map(Value::String),
            Kind::Enum(words) => self.word(words, json, place),
            Kind::Message(id) => {
                let shape = self.shapes.at(*id)?;
                self.message(shape, json, place, nulls).map(Value::Message)
            }
        }
    }

    fn refuse<T>(&mut self, place: &Place<'_>, wanted: &str, json: &Json<'_>) -> Option<T> {
        if let (Json::Number(text), true) = (json, wanted.contains("number")) {
            return self.refuse_text(place, wanted, text);
        }
        self.faults.add(place, format!("must be {wanted}, not {}", json.noun()));
        None
    }

    fn refuse_text<T>(&mut self, place: &Place<'_>, wanted: &str, text: &str) -> Option<T> {
        self.faults.add(place, format!("must be {wanted}, not `{}`", quoted(text)));
        None
    }

    /// A whole number; one of 64 bits may also be quoted, because JavaScript cannot hold it
    /// otherwise.
    fn whole<T: TryFrom<i128>>(
        &mut self,
        json: &Json<'_>,
        place: &Place<'_>,
        min: i128,
        max: i128,
        may_be_text: bool,
    ) -> Option<T> {
        let text = match json {
            Json::Number(text) => *text,
            Json::Text(text) if may_be_text => text.as_ref(),
            other => return self.refuse(place, "a whole number", other),
        };
        match number::whole(text) {
            Some(value) if (min..=max).contains(&value) => T::try_from(value).ok(),
            Some(_) => {
                self.refuse_text(place, &format!("a whole number from {min} to {max}"), text)
            }
            None => self.refuse_text(place, "a whole number", text),
        }
    }

    pub(super) fn text(&mut self, json: &Json<'_>, place: &Place<'_>) -> Option<String> {
        match json {
            // PostgreSQL cannot hold this character in a text.
            Json::Text(text) if text.contains('\0') => {
                self.faults.add(place, "must not contain the character U+0000");
                None
            }
            Json::Text(text) => Some(text.to_string()),
            other => self.refuse(place, "text", other),
        }
    }

    fn word(&mut self, words: &Words, json: &Json<'_>, place: &Place<'_>) -> Option<Value> {
        let wanted = || format!("one of {}", words.listed);
        match json {
            Json::Text(word) => match words.number(word) {
                Some(number) => Some(Value::EnumNumber(number)),
                None => match formula::nearest(word, words.sorted().into_iter()) {
                    None => self.refuse_text(place, &wanted(), word),
                    // It comes first: a long list is cut.
                    Some(near) => {
                        let (word, wanted) = (quoted(word), wanted());
                        let message =
                            format!("is `{word}`; did you mean `{near}`? It must be {wanted}");
                        self.faults.add(place, message);
                        None
                    }
                },
            },
            other => self.refuse(place, &wanted(), other),
        }
    }

    pub(super) fn scalar(
        &mut self,
        scalar: &Scalar,
        message: &mut DynamicMessage,
        json: &Json<'_>,
        place: &Place<'_>,
    ) -> Option<()> {
        let (field, value) = match json {
            Json::Null => return Some(()),
            Json::Bool(value) => (&scalar.boolean, Value::Bool(*value)),
            Json::Text(_) => (&scalar.text, Value::String(self.text(json, place)?)),
            Json::Number(text) => self.number(scalar, text, place)?,
            Json::List(_) => {
                let shape = self.shapes.at(scalar.list_shape)?;
                (&scalar.list, Value::Message(self.message(shape, json, place, Nulls::LeftOut)?))
            }
            Json::Object(_) => {
                return self.refuse(place, "text, a number, true, false, null or a list", json);
            }
        };
        self.set(message, field, value, place);
        Some(())
    }

    /// A number is kept exactly where that is possible: it may be an amount.
    fn number<'a>(
        &mut self,
        scalar: &'a Scalar,
        text: &str,
        place: &Place<'_>,
    ) -> Option<(&'a FieldDescriptor, Value)> {
        let is_plain_whole = !text.contains(['.', 'e', 'E']);
        let whole = number::whole(text)
            .filter(|_| is_plain_whole)
            .and_then(|value| i64::try_from(value).ok());
        if let Some(value) = whole {
            return Some((&scalar.integer, Value::I64(value)));
        }
        if let Some(decimal) = number::decimal(text) {
            return Some((&scalar.decimal, Value::String(decimal.into_owned())));
        }
        match number::double(text) {
            Some(value) => Some((&scalar.double, Value::F64(value))),
            None => self.refuse_text(place, "a number that fits a double", text),
        }
    }

    pub(super) fn instant(
        &mut self,
        instant: &Instant,
        message: &mut DynamicMessage,
        json: &Json<'_>,
        place: &Place<'_>,
    ) -> Option<()> {
        const WANTED: &str = "an RFC 3339 instant with offset, for example `2026-03-10T14:30:00Z`";
        let Json::Text(text) = json else { return self.refuse(place, WANTED, json) };
        let Some(at) = calendar::timestamp(text) else {
            return self.refuse_text(place, WANTED, text);
        };
        let nanos = i32::try_from(at.timestamp_subsec_nanos()).ok()?;
        self.set(message, &instant.seconds, Value::I64(at.timestamp()), place);
        self.set(message, &instant.nanos, Value::I32(nanos), place);
        Some(())
    }
}
