//! Variables of a scenario, and the few computed ones that let the real clock serve.
//!
//! `${name}` is a variable, `${now}` the present instant. `${zone_at_hour 12}` is a zone in which
//! it is now between 12:00 and 12:59, `${day -142 zone}` the date 142 days ago there, `${local
//! 08:00 zone}` that wall time today as an instant, `${is_workday zone}` whether it is Monday to
//! Friday there, and `${held_out salt customer basisPoints}` whether the published rule holds a
//! customer out. An argument that names a variable means its value.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use chrono::{
    DateTime, Datelike as _, Days, NaiveTime, Offset as _, SecondsFormat, TimeZone as _,
    Timelike as _, Utc,
};
use chrono_tz::Tz;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Values by name.
pub type Variables = BTreeMap<String, Value>;

/// `value` with every `${…}` replaced. A text that is one `${…}` and nothing else takes the type of
/// its value.
pub fn fill(value: &Value, variables: &Variables, now: DateTime<Utc>) -> anyhow::Result<Value> {
    Ok(match value {
        Value::String(text) => fill_text(text, variables, now)?,
        Value::Array(items) => Value::Array(
            items.iter().map(|item| fill(item, variables, now)).collect::<anyhow::Result<_>>()?,
        ),
        Value::Object(fields) => {
            let mut filled = serde_json::Map::new();
            for (key, value) in fields {
                filled.insert(
                    text_of(&fill_text(key, variables, now)?),
                    fill(value, variables, now)?,
                );
            }
            Value::Object(filled)
        }
        other => other.clone(),
    })
}

/// `text` with every `${…}` replaced.
pub fn fill_text(text: &str, variables: &Variables, now: DateTime<Utc>) -> anyhow::Result<Value> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (expression, tail) =
            after.split_once('}').with_context(|| format!("`{text}`: `${{` without `}}`"))?;
        let value = evaluate(expression, variables, now).with_context(|| format!("in `{text}`"))?;
        if before.is_empty() && tail.is_empty() && filled.is_empty() {
            return Ok(value);
        }
        filled.push_str(before);
        filled.push_str(&text_of(&value));
        rest = tail;
    }
    filled.push_str(rest);
    Ok(Value::String(filled))
}

/// A value inside a text.
pub fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn evaluate(expression: &str, variables: &Variables, now: DateTime<Utc>) -> anyhow::Result<Value> {
    let value_of = |word: &str| variables.get(word).map_or_else(|| word.to_owned(), text_of);
    let words: Vec<String> = expression.split_whitespace().skip(1).map(value_of).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match (expression.split_whitespace().next().unwrap_or_default(), words.as_slice()) {
        ("zone_at_hour", [hour]) => zone_at_hour(hour.parse()?, now).into(),
        ("day", [shift, zone]) => day(shift.parse()?, zone, now)?.into(),
        ("local", [time, zone]) => local(time, zone, now)?.into(),
        ("is_workday", [zone]) => is_workday(zone, now)?.into(),
        ("held_out", [salt, customer, basis_points]) => {
            is_held_out(salt, customer, basis_points.parse()?).into()
        }
        ("now", []) => now.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
        (name, []) => variables.get(name).with_context(|| format!("no variable `{name}`"))?.clone(),
        _ => bail!("`{expression}` is no function of variable.rs"),
    })
}

/// The zone nearest to UTC in which the clock reads `hour`.
fn zone_at_hour(hour: i64, now: DateTime<Utc>) -> String {
    let shows = |shift: &i64| (i64::from(now.hour()) + shift).rem_euclid(24) == hour;
    let shift = (-12..=14).filter(shows).min_by_key(|shift| shift.abs()).unwrap_or_default();
    // The names count westwards: five hours ahead of UTC is Etc/GMT-5.
    if shift == 0 { "Etc/GMT".to_owned() } else { format!("Etc/GMT{:+}", -shift) }
}

fn day(shift: i64, zone: &str, now: DateTime<Utc>) -> anyhow::Result<String> {
    let today = now.with_timezone(&zone.parse::<Tz>()?).date_naive();
    let days = Days::new(shift.unsigned_abs());
    let date = if shift < 0 { today.checked_sub_days(days) } else { today.checked_add_days(days) };
    Ok(date.context("a date out of range")?.to_string())
}

fn is_workday(zone: &str, now: DateTime<Utc>) -> anyhow::Result<bool> {
    Ok(now.with_timezone(&zone.parse::<Tz>()?).weekday().num_days_from_monday() < 5)
}

fn local(time: &str, zone: &str, now: DateTime<Utc>) -> anyhow::Result<String> {
    let zone: Tz = zone.parse()?;
    let time = NaiveTime::parse_from_str(time, "%H:%M")?;
    let wall = now.with_timezone(&zone).date_naive().and_time(time);
    let at =
        zone.from_local_datetime(&wall).earliest().context("a wall time that does not exist")?;
    Ok(at.with_timezone(&at.offset().fix()).to_rfc3339())
}

/// The published rule: the first eight bytes of SHA-256(salt, 0, customer) against the share, in
/// 128 bits.
pub fn is_held_out(salt: &str, customer: &str, basis_points: u32) -> bool {
    let mut digest = Sha256::new();
    digest.update(salt);
    digest.update([0]);
    digest.update(customer);
    let first: [u8; 8] = digest.finalize()[..8].try_into().unwrap_or_default();
    u128::from(u64::from_be_bytes(first)) * 10_000 < u128::from(basis_points) << 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let now = "2026-07-03T22:30:00Z".parse().unwrap();
        let variables =
            Variables::from([("night".into(), "Etc/GMT-4".into()), ("limit".into(), 3.into())]);
        let filled = fill_text(text, &variables, now).unwrap();
        assert_eq!(filled.to_string(), expected);
    }

    #[test]
    fn variables_keep_their_type_when_alone_and_join_when_not() {
        check("${limit}", "3");
        check("at most ${limit}", "\"at most 3\"");
    }

    #[test]
    fn zones_and_days_follow_the_clock() {
        check("${zone_at_hour 2}", "\"Etc/GMT-4\"");
        check("${zone_at_hour 12}", "\"Etc/GMT+10\"");
        check("${day 0 night}", "\"2026-07-04\"");
        check("${day -142 Etc/GMT}", "\"2026-02-11\"");
        check("${is_workday night}", "false");
        check("${is_workday Etc/GMT}", "true");
        check("${local 08:00 night}", "\"2026-07-04T08:00:00+04:00\"");
    }

    #[test]
    fn the_holdout_rule_is_the_published_one() {
        let vectors = include_str!("../../proto/vectors/assignment.csv");
        let mut rows = 0;
        for row in vectors.lines().skip(1) {
            let [salt, customer, basis_points, held_out] = row.split(',').collect::<Vec<_>>()[..]
            else {
                panic!("four columns: {row}")
            };
            assert_eq!(
                is_held_out(salt, customer, basis_points.parse().unwrap()).to_string(),
                held_out,
                "{row}"
            );
            rows += 1;
        }
        assert_eq!(rows, 84);
    }
}
