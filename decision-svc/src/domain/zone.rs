//! Finds the time zone of a customer, for `today()`: from the record, else from the settings.

use chrono_tz::Tz;

use crate::domain::{
    scalar::{Fields, Scalar},
    snapshot::Policy,
};

/// The zone and where it comes from: a field that the channel names, the record's `timezone`, the
/// tenant's settings, else UTC.
pub fn zone_of(policy: &Policy, channel: &str, record: &Fields) -> (Tz, String) {
    let sources = policy.channel(channel).map(|channel| channel.timezone_source.as_slice());
    let sources = sources.unwrap_or_default().iter().map(String::as_str);
    for source in sources.chain(["customer.timezone"]) {
        let field = source.strip_prefix("customer.").unwrap_or(source);
        if let Some(Scalar::String(name)) = record.get(field)
            && let Ok(zone) = name.parse::<Tz>()
        {
            return (zone, format!("customer.{field}"));
        }
    }
    match policy.timezone.parse::<Tz>() {
        Ok(zone) => (zone, "settings.timezone".to_owned()),
        Err(_) => (Tz::UTC, "default".to_owned()),
    }
}
