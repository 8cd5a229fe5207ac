//! The customer's time zones: exact IANA names, never a guess.

use chrono_tz::Tz;

use super::question::{FieldValue, Fields};

/// Why a zone is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneUnknown {
    /// The customer field that should hold it.
    pub field: String,
    /// What it holds, when it holds something.
    pub value: Option<String>,
}

impl ZoneUnknown {
    /// Why local time is not known, and the remedy.
    pub fn text(&self) -> String {
        let Self { field, value } = self;
        let cause = match value {
            None => format!("{field} is not set"),
            Some(value) => format!("{field} is `{value}`, which is not an IANA zone name"),
        };
        format!("{cause}; set it, or the setting fallbackTimezone")
    }
}

/// Where the zone is read without a channel.
pub const FIELDS_WITHOUT_CHANNEL: [&str; 1] = ["timezone"];

/// The zones of a customer, one per field that is named. The fallback replaces a field that is
/// missing or holds no zone.
pub fn zones<'n>(
    names: impl IntoIterator<Item = &'n str>,
    fields: &Fields,
    fallback: Option<Tz>,
) -> Result<Vec<Tz>, ZoneUnknown> {
    let mut zones = Vec::new();
    for field in names {
        match (zone(fields.get(field)), fallback) {
            (Ok(zone), _) | (Err(_), Some(zone)) => zones.push(zone),
            (Err(value), None) => return Err(ZoneUnknown { field: field.to_owned(), value }),
        }
    }
    Ok(zones)
}

/// The zone of this exact name.
pub fn parse(name: &str) -> Option<Tz> {
    name.parse().ok()
}

fn zone(value: Option<&FieldValue>) -> Result<Tz, Option<String>> {
    match value {
        None | Some(FieldValue::Null) => Err(None),
        Some(FieldValue::Text(name)) => parse(name).ok_or_else(|| Some(shown(name))),
        Some(FieldValue::Boolean(value)) => Err(Some(value.to_string())),
        Some(FieldValue::Number(_) | FieldValue::Other) => Err(Some("not text".to_owned())),
    }
}

/// True for a name a schema field may have.
pub fn is_field_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.len() <= 63
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Foreign text as it may stand in a message: short, without control characters.
pub fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 64;
    let clean: String =
        text.chars().take(SHOWN_MAX).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().count() > SHOWN_MAX { format!("{clean}…") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones_of(value: Option<FieldValue>, fallback: Option<Tz>) -> Result<Vec<Tz>, ZoneUnknown> {
        let fields = value.map(|value| ("timezone".to_owned(), value)).into_iter().collect();
        zones(["timezone"], &fields, fallback)
    }

    #[test]
    fn only_exact_names_are_zones() {
        for good in ["Europe/London", "Asia/Kathmandu", "US/Eastern", "UTC", "Etc/GMT+5"] {
            assert!(zones_of(Some(FieldValue::Text(good.into())), None).is_ok(), "{good}");
        }
        let long = "x".repeat(10_000);
        for bad in [
            "GMT+5",
            "EST5EDT ",
            "europe/london",
            "../etc/x",
            "",
            " UTC",
            "Europe/London\n",
            "+02:00",
            &long,
        ] {
            let unknown = zones_of(Some(FieldValue::Text(bad.into())), None).unwrap_err();
            assert_eq!(unknown.field, "timezone");
            assert!(unknown.value.unwrap().chars().count() <= 65, "{bad}");
            assert_eq!(
                zones_of(Some(FieldValue::Text(bad.into())), Some(Tz::UTC)),
                Ok(vec![Tz::UTC])
            );
        }
    }

    #[test]
    fn a_missing_zone_is_unknown() {
        let unknown = |value: Option<&str>| {
            Err(ZoneUnknown { field: "timezone".into(), value: value.map(str::to_owned) })
        };
        assert_eq!(zones_of(None, None), unknown(None));
        assert_eq!(zones_of(Some(FieldValue::Null), None), unknown(None));
        assert_eq!(zones_of(Some(FieldValue::Boolean(true)), None), unknown(Some("true")));
        assert_eq!(zones_of(Some(FieldValue::Other), None), unknown(Some("not text")));
        assert_eq!(zones_of(None, Some(Tz::Europe__Paris)), Ok(vec![Tz::Europe__Paris]));
    }
}
