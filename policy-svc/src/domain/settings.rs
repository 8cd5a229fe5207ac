//! Settings of a tenant that rules read: time zones, country field, legal quiet hours.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::{
    Faults,
    question::{FieldValue, Fields},
    quiet_hours::QuietHours,
    zone,
};

/// Default zone of `today()`.
pub const TIMEZONE_DEFAULT: &str = "UTC";
/// Default currency.
pub const CURRENCY_DEFAULT: &str = "GBP";

/// Default of the customer field that holds the country.
pub const COUNTRY_FIELD_DEFAULT: &str = "customer.country";
/// Countries with legal quiet hours.
pub const LEGAL_COUNTRIES_MAX: usize = 300;

/// Active codes of ISO 4217 with a minor unit in use for prices.
const CURRENCIES: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN \
    BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL \
    GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF \
    KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN \
    MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD \
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH \
    UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// Settings as rules use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Default zone of `today()`.
    pub timezone: Tz,
    /// Used when a customer's zone is missing or invalid.
    pub fallback_timezone: Option<Tz>,
    /// Legal quiet hours by country, as ISO 3166-1 alpha-2.
    pub legal_quiet_hours: BTreeMap<String, QuietHours>,
    /// Customer field that holds the country, without `customer.`.
    pub country_field: String,
}

impl Default for Settings {
    fn default() -> Self {
        let country_field = field_name(COUNTRY_FIELD_DEFAULT).to_owned();
        Self {
            timezone: Tz::UTC,
            fallback_timezone: None,
            legal_quiet_hours: BTreeMap::new(),
            country_field,
        }
    }
}

impl Settings {
    /// Legal quiet hours of a customer, with their countries. A customer whose country is not known
    /// may be in any.
    pub fn legal_hours(&self, fields: &Fields) -> Vec<(&str, &QuietHours)> {
        let country = match fields.get(&self.country_field) {
            Some(FieldValue::Text(text)) => {
                Some(text.trim().to_uppercase()).filter(|code| is_country(code))
            }
            _ => None,
        };
        let is_theirs = |code: &str| country.as_ref().is_none_or(|country| country == code);
        let theirs = self.legal_quiet_hours.iter().filter(|(code, _)| is_theirs(code));
        theirs.map(|(code, hours)| (code.as_str(), hours)).collect()
    }
}

/// A customer field's name without `customer.`.
pub fn field_name(written: &str) -> &str {
    written.strip_prefix("customer.").unwrap_or(written)
}

/// True for what looks like ISO 3166-1 alpha-2.
fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Legal quiet hours as written, (country, start, end), or all their faults.
pub fn legal_quiet_hours<'a>(
    written: impl ExactSizeIterator<Item = (&'a str, &'a str, &'a str)>,
) -> Result<BTreeMap<String, QuietHours>, Faults> {
    let (mut faults, mut legal) = (Faults::new(), BTreeMap::new());
    if written.len() > LEGAL_COUNTRIES_MAX {
        let text =
            format!("has {}, which exceeds the maximum {LEGAL_COUNTRIES_MAX}", written.len());
        faults.push(("legal_quiet_hours".to_owned(), text));
    }
    for (country, start, end) in written.take(LEGAL_COUNTRIES_MAX) {
        let path = format!("legal_quiet_hours.{}", zone::shown(country));
        if !is_country(country) {
            faults
                .push((path.clone(), "must be an ISO 3166-1 alpha-2 code such as `US`".to_owned()));
        }
        match QuietHours::parse(start, end) {
            Ok(Some(hours)) => drop(legal.insert(country.to_owned(), hours)),
            Ok(None) => {
                faults.push((format!("{path}.start"), "is required, HH:MM, and `end`".to_owned()))
            }
            Err(found) => faults.extend(found.into_iter().map(|(field, text)| {
                let field = field.trim_start_matches("quiet_hours_");
                (format!("{path}.{field}"), text.replace("quiet_hours_", ""))
            })),
        }
    }
    if faults.is_empty() { Ok(legal) } else { Err(faults) }
}

/// Faults of settings as written, by field.
pub fn faults(
    timezone: &str,
    fallback_timezone: &str,
    currency: &str,
    country_field: &str,
) -> Faults {
    let mut faults = Faults::new();
    let mut zone = |path: &str, name: &str| {
        if zone::parse(name).is_none() {
            let text =
                format!("`{}` is not an IANA zone name such as `Europe/London`", zone::shown(name));
            faults.push((path.to_owned(), text));
        }
    };
    zone("timezone", timezone);
    if !fallback_timezone.is_empty() {
        zone("fallback_timezone", fallback_timezone);
    }
    if !CURRENCIES.split_whitespace().any(|code| code == currency) {
        let text = format!("`{}` is not an ISO 4217 currency such as `GBP`", zone::shown(currency));
        faults.push(("currency".to_owned(), text));
    }
    if !zone::is_field_name(field_name(country_field)) {
        let text = format!(
            "`{}` must be a customer field such as `customer.country`",
            zone::shown(country_field)
        );
        faults.push(("country_field".to_owned(), text));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_zones_and_currencies_are_refused() {
        assert_eq!(faults("UTC", "", "GBP", COUNTRY_FIELD_DEFAULT), Faults::new());
        assert_eq!(faults("Europe/Paris", "Europe/London", "EUR", "home"), Faults::new());
        let paths: Vec<_> =
            faults("utc", "GMT+5", "gbp", "a b").into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["timezone", "fallback_timezone", "currency", "country_field"]);
    }

    #[test]
    fn legal_hours_are_checked_by_country() {
        let check = |written: &[(&str, &str, &str)], expected: &[&str]| {
            let faults = legal_quiet_hours(written.iter().copied())
                .map(|_| Faults::new())
                .unwrap_or_else(|f| f);
            let told: Vec<_> =
                faults.into_iter().map(|(path, text)| format!("{path} {text}")).collect();
            assert_eq!(told, expected, "{written:?}");
        };
        check(&[("US", "21:00", "08:00"), ("FR", "20:00", "10:00")], &[]);
        check(
            &[("usa", "21:00", "08:00")],
            &["legal_quiet_hours.usa must be an ISO 3166-1 alpha-2 code such as `US`"],
        );
        check(&[("US", "", "")], &["legal_quiet_hours.US.start is required, HH:MM, and `end`"]);
        check(&[("US", "21:00", "")], &["legal_quiet_hours.US.end is required with `start`"]);
        check(
            &[("US", "9:00", "08:00")],
            &["legal_quiet_hours.US.start `9:00` must be HH:MM from 00:00 to 23:59"],
        );
    }

    #[test]
    fn a_customer_whose_country_nobody_knows_may_be_in_any() {
        let written = [("US", "21:00", "08:00"), ("FR", "20:00", "10:00")];
        let legal = legal_quiet_hours(written.into_iter()).unwrap();
        let settings = Settings { legal_quiet_hours: legal, ..Settings::default() };
        let check = |country: Option<&str>, expected: &[&str]| {
            let field =
                country.map(|country| ("country".to_owned(), FieldValue::Text(country.to_owned())));
            let fields: Fields = field.into_iter().collect();
            let told: Vec<_> =
                settings.legal_hours(&fields).into_iter().map(|(code, _)| code).collect();
            assert_eq!(told, expected, "{country:?}");
        };
        check(Some("US"), &["US"]);
        check(Some(" us "), &["US"]);
        check(Some("GB"), &[]);
        check(Some("United States"), &["FR", "US"]);
        check(None, &["FR", "US"]);
    }
}
