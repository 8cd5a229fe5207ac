//! Settings of a tenant.

use chrono_tz::Tz;

use super::{Faults, zone};

/// Zone of `today()` when nobody says.
pub const TIMEZONE_DEFAULT: &str = "UTC";
/// Currency when nobody says.
pub const CURRENCY_DEFAULT: &str = "GBP";

/// Active codes of ISO 4217 with a minor unit in use for prices.
const CURRENCIES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN \
    BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD \
    HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD \
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON \
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX \
    USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// Settings as rules use them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Stands in for a customer's zone that is missing or invalid.
    pub fallback_timezone: Option<Tz>,
}

/// Faults of settings as written, by field.
pub fn faults(timezone: &str, fallback_timezone: &str, currency: &str) -> Faults {
    let mut faults = Faults::new();
    let mut zone = |path: &str, name: &str| {
        if zone::parse(name).is_none() {
            let text = format!("`{}` is not an IANA zone name such as `Europe/London`", zone::shown(name));
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
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_zones_and_currencies_are_refused() {
        assert_eq!(faults("UTC", "", "GBP"), Faults::new());
        assert_eq!(faults("Europe/Paris", "Europe/London", "EUR"), Faults::new());
        let paths: Vec<_> = faults("utc", "GMT+5", "gbp").into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["timezone", "fallback_timezone", "currency"]);
    }
}
