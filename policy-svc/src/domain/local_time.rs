//! The customer's local time: quiet hours, legal quiet hours, and when these and the hours of
//! policies end.

use chrono::{DateTime, FixedOffset, Offset as _, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{
    channel::Channel,
    question::Fields,
    quiet_hours::QuietHours,
    refusal::{ReasonCode, Refusal},
    settings::Settings,
    wall_hours::{self, Demand, Opening, SEARCH_DAYS, WallHours},
    zone::{self, ZoneUnknown},
};

/// What the wall clock says about a customer on a channel.
#[derive(Debug)]
pub struct LocalTime<'a> {
    at: DateTime<Utc>,
    channel: Option<&'a Channel>,
    zones: Result<Vec<Tz>, ZoneUnknown>,
    /// The channel's quiet hours, then those of the law with the country.
    quiet: Vec<(Option<&'a str>, &'a QuietHours)>,
}

impl<'a> LocalTime<'a> {
    /// Looks at the clock. The law binds channels that contact people; a channel's own hours can
    /// only add to it.
    pub fn new(
        channel: Option<&'a Channel>,
        settings: &'a Settings,
        fields: &Fields,
        at: DateTime<Utc>,
    ) -> Self {
        let fallback = settings.fallback_timezone;
        let mut zones = match channel {
            Some(channel) => {
                let names = channel.timezone_fields.iter().map(String::as_str);
                zone::zones(names, fields, fallback)
            }
            None => zone::zones(zone::FIELDS_WITHOUT_CHANNEL, fields, fallback),
        };
        if let Ok(zones) = &mut zones {
            zones.dedup();
        }
        let mut quiet = Vec::new();
        if let Some(channel) = channel {
            quiet.extend(channel.quiet_hours.iter().map(|hours| (None, hours)));
            if channel.is_contacting() {
                let legal = settings.legal_hours(fields);
                quiet.extend(legal.into_iter().map(|(country, hours)| (Some(country), hours)));
            }
        }
        Self { at, channel, zones, quiet }
    }

    /// The zones, or why they are not known.
    pub fn zones(&self) -> &Result<Vec<Tz>, ZoneUnknown> {
        &self.zones
    }

    /// The zones by name, joined by `, `; empty without a channel.
    pub fn timezone(&self) -> String {
        let zones = self.zones.iter().flatten().filter(|_| self.channel.is_some());
        zones.map(|zone| zone.name()).collect::<Vec<_>>().join(", ")
    }

    /// True when contact is not allowed now, or that is not known.
    pub fn forbids(&self) -> bool {
        match &self.zones {
            Ok(zones) => self.quiet.iter().any(|(_, hours)| !hours.demand(zones).allows(self.at)),
            Err(_) => !self.quiet.is_empty(),
        }
    }

    /// When quiet hours and these hours of policies all allow it.
    pub fn opening<'b>(&'b self, windows: impl Iterator<Item = &'b WallHours>) -> Opening {
        let Ok(zones) = &self.zones else { return Opening::Beyond };
        let quiet = self.quiet.iter().map(|(_, hours)| hours.demand(zones));
        let windows = windows.map(|hours| Demand { hours, is_within: true, zones });
        wall_hours::opening(&quiet.chain(windows).collect::<Vec<_>>(), self.at)
    }

    /// Why contact is not allowed now; `opening` is when it is allowed again.
    pub fn refusal(&self, opening: Opening) -> Option<Refusal> {
        let channel = self.channel?;
        let zones = match &self.zones {
            Ok(zones) => zones,
            Err(_) if self.quiet.is_empty() => return None,
            Err(unknown) => {
                let reason = format!(
                    "quiet hours of channel {} cannot be evaluated: {}",
                    channel.name,
                    unknown.text()
                );
                return Some(Refusal::new(ReasonCode::TimezoneUnknown, reason));
            }
        };
        let forbids =
            |(_, hours): &&(Option<&str>, &QuietHours)| !hours.demand(zones).allows(self.at);
        let (country, hours) = self.quiet.iter().find(forbids)?;
        let of_whom = match country {
            None => "quiet hours".to_owned(),
            Some(country) => format!("the legal quiet hours of {country}"),
        };
        // The end as it was written, unless something else forbids it then.
        let until = match hours.opening(zones, self.at) {
            alone if alone == opening => format!(" — deliver after {}", hours.end()),
            _ => self.until_text(opening),
        };
        let reason = format!("channel {} is within {of_whom} ({hours} local){until}", channel.name);
        Some(Refusal {
            code: ReasonCode::QuietHours,
            reason,
            deliver_after: self.deliver_after(opening),
        })
    }

    /// ` — deliver after 09:00`, with the date when that is not within a day.
    pub fn until_text(&self, opening: Opening) -> String {
        match (opening, self.deliver_after(opening)) {
            (Opening::At(at), Some(local)) if at - self.at < TimeDelta::days(1) => {
                format!(" — deliver after {}", local.format("%H:%M"))
            }
            (Opening::At(_), Some(local)) => {
                format!(" — deliver after {}", local.format("%H:%M on %Y-%m-%d"))
            }
            _ => format!(" — no time in the next {SEARCH_DAYS} days is allowed"),
        }
    }

    /// The opening in the customer's time.
    pub fn deliver_after(&self, opening: Opening) -> Option<DateTime<FixedOffset>> {
        let zone = self.zones.as_ref().ok()?.first()?;
        let at = match opening {
            Opening::Now => self.at,
            Opening::At(at) => at,
            Opening::Beyond => return None,
        };
        let local = at.with_timezone(zone);
        Some(local.with_timezone(&local.offset().fix()))
    }
}
