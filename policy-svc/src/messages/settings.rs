//! Converts the settings of a tenant into the value that rules use.

use proffer_proto::policy::v1 as proto;

use crate::domain::{
    Faults,
    settings::{self, COUNTRY_FIELD_DEFAULT, CURRENCY_DEFAULT, Settings, TIMEZONE_DEFAULT},
    zone,
};

/// Settings with defaults for what they leave out.
pub fn with_defaults(mut settings: proto::TenantSettings) -> proto::TenantSettings {
    if settings.timezone.is_empty() {
        settings.timezone = TIMEZONE_DEFAULT.to_owned();
    }
    if settings.currency.is_empty() {
        settings.currency = CURRENCY_DEFAULT.to_owned();
    }
    if settings.country_field.is_empty() {
        settings.country_field = COUNTRY_FIELD_DEFAULT.to_owned();
    }
    settings
}

/// The settings as rules use them, or all faults by path within the resource.
pub fn rule_settings(stored: &proto::TenantSettings) -> Result<Settings, Faults> {
    let mut faults = settings::faults(
        &stored.timezone,
        &stored.fallback_timezone,
        &stored.currency,
        &stored.country_field,
    );
    let written = stored.legal_quiet_hours.iter();
    let written = written
        .map(|(country, hours)| (country.as_str(), hours.start.as_str(), hours.end.as_str()));
    let legal_quiet_hours =
        settings::legal_quiet_hours(written).map_err(|found| faults.extend(found));
    match legal_quiet_hours {
        Ok(legal_quiet_hours) if faults.is_empty() => Ok(Settings {
            timezone: zone::parse(&stored.timezone).unwrap_or(chrono_tz::UTC),
            fallback_timezone: zone::parse(&stored.fallback_timezone),
            legal_quiet_hours,
            country_field: settings::field_name(&stored.country_field).to_owned(),
        }),
        _ => Err(faults),
    }
}
