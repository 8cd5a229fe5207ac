//! Values of record fields, parsed strictly by the type of the field.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use formula::calendar;
use wire::{decimal, text::null_fault, value::TEXT_BYTES_MAX};

use super::{name::quoted, schema::FieldType};

/// A value as it arrived, of whatever type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Given<'a> {
    /// Nothing.
    Null,
    /// Text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A double.
    Double(f64),
    /// True or false.
    Boolean(bool),
    /// A decimal number as text.
    Decimal(&'a str),
    /// Several values.
    List,
}

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// An exact decimal number as plain text.
    Decimal(String),
    /// True or false.
    Boolean(bool),
    /// A calendar date.
    Date(NaiveDate),
    /// An instant, to the microsecond.
    Timestamp(DateTime<Utc>),
}

impl FieldValue {
    /// Reads a value of this type; none for null. A fault says what is wrong and what would be
    /// right.
    pub fn read(of_type: FieldType, given: &Given<'_>) -> Result<Option<Self>, String> {
        let misfit = || Err(format!("must be {}, not {}", of_type.spoken(), spoken(given)));
        Ok(Some(match (of_type, given) {
            (_, Given::Null) => return Ok(None),
            (FieldType::String, Given::Text(text)) => Self::Text(text_value(text)?),
            (FieldType::Integer, Given::Integer(number)) => Self::Integer(*number),
            // 12.0 and 1e3 are whole numbers, however they were written.
            (FieldType::Integer, Given::Double(number)) => {
                match decimal::whole_from_double(*number) {
                    Some(whole) => Self::Integer(whole),
                    None => return misfit(),
                }
            }
            (FieldType::Integer, Given::Decimal(text)) => match decimal::whole(text) {
                Some(whole) => Self::Integer(whole),
                None => return misfit(),
            },
            (FieldType::Decimal, Given::Integer(number)) => Self::Decimal(number.to_string()),
            (FieldType::Decimal, Given::Decimal(text) | Given::Text(text)) => {
                Self::Decimal(decimal::exact(text)?)
            }
            (FieldType::Decimal, Given::Double(number)) => {
                Self::Decimal(decimal::from_double(*number)?)
            }
            (FieldType::Boolean, Given::Boolean(is)) => Self::Boolean(*is),
            (FieldType::Date, Given::Text(text)) => Self::Date(date(text)?),
            (FieldType::Timestamp, Given::Text(text)) => Self::Timestamp(timestamp(text)?),
            _ => return misfit(),
        }))
    }

    /// A date or an instant as text.
    pub fn calendar_text(&self) -> Option<String> {
        match self {
            Self::Date(date) => Some(date.to_string()),
            Self::Timestamp(at) => Some(at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            _ => None,
        }
    }
}

fn text_value(text: &str) -> Result<String, String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!(
            "has {} bytes, which exceeds the maximum {TEXT_BYTES_MAX}",
            text.len()
        ));
    }
    null_fault(text).map_or_else(|| Ok(text.to_owned()), Err)
}

fn date(text: &str) -> Result<NaiveDate, String> {
    let form = calendar::DATE_FORM;
    let fault = || format!("`{}` is not a calendar date: write {form}", quoted(text));
    calendar::date(text).ok_or_else(fault)
}

fn timestamp(text: &str) -> Result<DateTime<Utc>, String> {
    let form = calendar::TIMESTAMP_FORM;
    let fault = || format!("`{}` is not a timestamp: write {form}", quoted(text));
    let micros = calendar::timestamp(text).map(|at| at.timestamp_micros());
    micros.and_then(DateTime::from_timestamp_micros).ok_or_else(fault)
}

fn spoken(given: &Given<'_>) -> String {
    match given {
        Given::Null => "null".to_owned(),
        Given::Text(text) => format!("the string `{}`", quoted(text)),
        Given::Integer(number) => format!("the number {number}"),
        Given::Double(number) => format!("the number {number}"),
        Given::Decimal(text) => format!("the number {}", quoted(text)),
        Given::Boolean(is) => format!("the boolean {is}"),
        Given::List => "a list".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(of_type: FieldType, given: Given<'_>, expected: Result<FieldValue, &str>) {
        let got = FieldValue::read(of_type, &given).map(Option::unwrap);
        assert_eq!(got, expected.map_err(str::to_owned), "{of_type:?} {given:?}");
    }

    fn day(text: &str) -> FieldValue {
        FieldValue::Date(text.parse().unwrap())
    }

    #[test]
    fn a_string_is_only_a_string() {
        check(FieldType::String, Given::Text("apparel"), Ok(FieldValue::Text("apparel".into())));
        check(FieldType::String, Given::Text(""), Ok(FieldValue::Text(String::new())));
        check(FieldType::String, Given::Integer(7), Err("must be a string, not the number 7"));
        check(
            FieldType::String,
            Given::Boolean(true),
            Err("must be a string, not the boolean true"),
        );
        check(FieldType::String, Given::List, Err("must be a string, not a list"));
        check(FieldType::String, Given::Text("a\0"), Err("must not contain a null character"));
        let (limit, beyond) = ("x".repeat(TEXT_BYTES_MAX), "x".repeat(TEXT_BYTES_MAX + 1));
        check(FieldType::String, Given::Text(&limit), Ok(FieldValue::Text(limit.clone())));
        check(
            FieldType::String,
            Given::Text(&beyond),
            Err("has 16385 bytes, which exceeds the maximum 16384"),
        );
    }

    #[test]
    fn an_integer_may_be_written_with_a_point_but_not_have_a_fraction() {
        check(FieldType::Integer, Given::Integer(i64::MIN), Ok(FieldValue::Integer(i64::MIN)));
        check(FieldType::Integer, Given::Double(12.0), Ok(FieldValue::Integer(12)));
        check(FieldType::Integer, Given::Decimal("1e3"), Ok(FieldValue::Integer(1000)));
        check(
            FieldType::Integer,
            Given::Double(12.5),
            Err("must be an integer, not the number 12.5"),
        );
        check(
            FieldType::Integer,
            Given::Decimal("1e30"),
            Err("must be an integer, not the number 1e30"),
        );
        check(
            FieldType::Integer,
            Given::Text("12"),
            Err("must be an integer, not the string `12`"),
        );
    }

    #[test]
    fn a_decimal_comes_as_number_or_string() {
        check(FieldType::Decimal, Given::Decimal("19.90"), Ok(FieldValue::Decimal("19.90".into())));
        check(FieldType::Decimal, Given::Text("19.90"), Ok(FieldValue::Decimal("19.90".into())));
        check(FieldType::Decimal, Given::Integer(5), Ok(FieldValue::Decimal("5".into())));
        check(FieldType::Decimal, Given::Double(19.9), Ok(FieldValue::Decimal("19.9".into())));
        check(FieldType::Decimal, Given::Text("abc"), Err("`abc` is not a decimal number"));
        check(
            FieldType::Decimal,
            Given::Boolean(true),
            Err("must be a decimal number, not the boolean true"),
        );
    }

    #[test]
    fn a_boolean_is_only_a_boolean() {
        check(FieldType::Boolean, Given::Boolean(false), Ok(FieldValue::Boolean(false)));
        check(
            FieldType::Boolean,
            Given::Integer(1),
            Err("must be true or false, not the number 1"),
        );
        check(
            FieldType::Boolean,
            Given::Text("true"),
            Err("must be true or false, not the string `true`"),
        );
    }

    #[test]
    fn a_date_exists_and_has_one_form() {
        check(FieldType::Date, Given::Text("2026-07-03"), Ok(day("2026-07-03")));
        check(FieldType::Date, Given::Text("2024-02-29"), Ok(day("2024-02-29")));
        for wrong in [
            "2026-02-29",
            "2026-13-01",
            "2026-7-3",
            "03.07.2026",
            "0000-01-01",
            "+10000-01-01",
            "26-01-01",
            "",
        ] {
            let message = format!("`{wrong}` is not a calendar date: write YYYY-MM-DD");
            check(FieldType::Date, Given::Text(wrong), Err(&message));
        }
        check(
            FieldType::Date,
            Given::Integer(20260703),
            Err("must be a date, not the number 20260703"),
        );
    }

    #[test]
    fn a_timestamp_is_kept_in_utc_to_the_microsecond() {
        let stored = |text: &str| {
            let read = FieldValue::read(FieldType::Timestamp, &Given::Text(text));
            read.ok().flatten().and_then(|value| value.calendar_text())
        };
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(stored(text).as_deref(), expected, "{text}")
        };
        check("2026-07-03T12:00:00+02:00", Some("2026-07-03T10:00:00Z"));
        check("2026-07-03T12:00:00.1234567Z", Some("2026-07-03T12:00:00.123456Z"));
        check("2026-12-31T23:59:60Z", None);
        check("2026-06-15T12:30:60Z", None);
        check("26-07-03T12:00:00Z", None);
        check("2026-07-03T12:00:00", None);
        check("2026-07-03", None);
        check("0001-01-01T00:00:00+10:00", None);
        check("9999-12-31T23:59:59-10:00", None);
    }

    #[test]
    fn null_is_no_value_of_any_type() {
        for of_type in FieldType::ALL {
            assert_eq!(FieldValue::read(of_type, &Given::Null), Ok(None));
        }
    }
}
