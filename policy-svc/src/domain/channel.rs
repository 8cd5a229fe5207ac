//! Channels: type, quiet hours, consent field, time zone sources, duration of a reservation.

use chrono::TimeDelta;

use super::{Faults, folded, quiet_hours::QuietHours, zone};

/// How long a slot is held on a channel that contacts people, and without a channel.
pub const RESERVATION_TTL_CONTACT: TimeDelta = TimeDelta::hours(24);
/// How long a slot is held on a channel that people pull from.
pub const RESERVATION_TTL_PULL: TimeDelta = TimeDelta::minutes(15);
/// Zone fields a channel may name.
pub const TIMEZONE_SOURCES_MAX: usize = 8;

/// What kind of channel it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ChannelType {
    Email,
    Sms,
    Push,
    Whatsapp,
    DirectMail,
    Call,
    Web,
    InApp,
    Api,
    Webhook,
}

const TYPES: [(ChannelType, &str); 10] = [
    (ChannelType::Email, "email"),
    (ChannelType::Sms, "sms"),
    (ChannelType::Push, "push"),
    (ChannelType::Whatsapp, "whatsapp"),
    (ChannelType::DirectMail, "direct_mail"),
    (ChannelType::Call, "call"),
    (ChannelType::Web, "web"),
    (ChannelType::InApp, "in_app"),
    (ChannelType::Api, "api"),
    (ChannelType::Webhook, "webhook"),
];

impl ChannelType {
    /// The type of this name.
    pub fn parse(word: &str) -> Option<Self> {
        TYPES.iter().find(|(_, name)| *name == word).map(|(channel_type, _)| *channel_type)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|(channel_type, _)| *channel_type == self).map_or("", |(_, name)| name)
    }

    /// True when the channel contacts people; false when they pull from it.
    pub fn is_contacting(self) -> bool {
        !matches!(self, Self::Web | Self::InApp | Self::Api | Self::Webhook)
    }
}

/// A channel as rules use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: String,
    /// Its name as stored.
    pub name: String,
    /// Its life cycle as REST says it; only `active` takes part in decisions.
    pub status: &'static str,
    /// What kind it is; none counts as contacting.
    pub channel_type: Option<ChannelType>,
    /// When nothing is sent.
    pub quiet_hours: Option<QuietHours>,
    /// Customer fields that hold zones, without `customer.`.
    pub timezone_fields: Vec<String>,
    /// Customer field that grants or denies, without `customer.`.
    pub consent_field: Option<String>,
    /// False when the stored rules mean nothing to this version: then it refuses everything.
    pub is_readable: bool,
}

/// A channel as written, unchecked.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the fields of the resource")]
pub struct ChannelDraft<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub status: &'static str,
    pub channel_type: &'a str,
    pub quiet_hours_start: &'a str,
    pub quiet_hours_end: &'a str,
    pub timezone_source: &'a [String],
    pub consent_field: &'a str,
}

impl Channel {
    /// The channel, or all its faults.
    pub fn parse(draft: &ChannelDraft<'_>) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let channel_type = channel_type(draft, &mut faults);
        let quiet_hours = QuietHours::parse(draft.quiet_hours_start, draft.quiet_hours_end)
            .map_err(|found| {
                faults
                    .extend(found.into_iter().map(|(path, text)| (format!("config.{path}"), text)))
            })
            .ok()
            .flatten();
        let timezone_fields = timezone_fields(draft.timezone_source, &mut faults);
        let consent_field = match draft.consent_field {
            "" => None,
            written => {
                let name = written.strip_prefix("customer.").unwrap_or(written);
                if !zone::is_field_name(name) {
                    let text = format!(
                        "`{}` must be a customer field such as `consentEmail`",
                        zone::shown(written)
                    );
                    faults.push(("config.consent_field".to_owned(), text));
                }
                Some(name.to_owned())
            }
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            channel_type,
            quiet_hours,
            timezone_fields,
            consent_field,
            is_readable: true,
            ..Self::unreadable(draft.id, draft.name, draft.status)
        })
    }

    /// A stored channel whose rules this version cannot read.
    pub fn unreadable(id: &str, name: &str, status: &'static str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            status,
            channel_type: None,
            quiet_hours: None,
            timezone_fields: Vec::new(),
            consent_field: None,
            is_readable: false,
        }
    }

    /// True for a customer field that speaks of consent to the channel: the one it names, and by
    /// convention one that is called, without regard to case, `consent` and the channel's name.
    pub fn is_consent_field(&self, name: &str) -> bool {
        self.consent_field.as_deref() == Some(name)
            || name
                .to_lowercase()
                .strip_prefix("consent")
                .is_some_and(|rest| rest == folded(&self.name))
    }

    /// True when it contacts people. Without a known type it counts as contacting.
    pub fn is_contacting(&self) -> bool {
        self.channel_type.is_none_or(ChannelType::is_contacting)
    }
}

/// How long a slot is held.
pub fn reservation_ttl(channel: Option<&Channel>) -> TimeDelta {
    if channel.is_none_or(Channel::is_contacting) {
        RESERVATION_TTL_CONTACT
    } else {
        RESERVATION_TTL_PULL
    }
}

/// The type of a channel of this name that does not say its type.
pub fn default_type(name: &str) -> Option<ChannelType> {
    ChannelType::parse(&folded(name))
}

fn channel_type(draft: &ChannelDraft<'_>, faults: &mut Faults) -> Option<ChannelType> {
    if draft.channel_type.is_empty() {
        return default_type(draft.name);
    }
    let found = ChannelType::parse(draft.channel_type);
    if found.is_none() {
        let known: Vec<_> = TYPES.iter().map(|(_, name)| *name).collect();
        let text = format!(
            "`{}` is unknown; known are {}",
            zone::shown(draft.channel_type),
            known.join(", ")
        );
        faults.push(("channel_type".to_owned(), text));
    }
    found
}

fn timezone_fields(sources: &[String], faults: &mut Faults) -> Vec<String> {
    let path = "config.timezone_source";
    if sources.len() > TIMEZONE_SOURCES_MAX {
        let count = sources.len();
        faults.push((
            path.to_owned(),
            format!("has {count} fields, which exceeds the maximum {TIMEZONE_SOURCES_MAX}"),
        ));
        return Vec::new();
    }
    let mut fields = Vec::new();
    for (index, written) in sources.iter().enumerate() {
        match written.strip_prefix("customer.").filter(|name| zone::is_field_name(name)) {
            Some(name) => fields.push(name.to_owned()),
            None => {
                let text = format!(
                    "`{}` must be a customer field such as `customer.timezone`",
                    zone::shown(written)
                );
                faults.push((format!("{path}[{index}]"), text));
            }
        }
    }
    if fields.is_empty() && faults.is_empty() {
        fields.push("timezone".to_owned());
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(draft: ChannelDraft<'_>) -> Vec<String> {
        let found = Channel::parse(&draft).map(|_| Faults::new()).unwrap_or_else(|faults| faults);
        found.into_iter().map(|(path, text)| format!("{path}: {text}")).collect()
    }

    #[test]
    fn the_seeds_channels_are_taken() {
        let source = ["customer.timezone".to_owned()];
        let email = ChannelDraft {
            name: "email",
            quiet_hours_start: "21:00",
            quiet_hours_end: "08:00",
            timezone_source: &source,
            ..Default::default()
        };
        let channel = Channel::parse(&email).unwrap();
        assert_eq!(channel.channel_type, Some(ChannelType::Email));
        assert_eq!(channel.timezone_fields, ["timezone"]);
        assert!(channel.is_contacting());
    }

    #[test]
    fn the_type_is_the_name_when_it_is_one() {
        let check = |name: &str, channel_type: &str, is_contacting: bool| {
            let channel =
                Channel::parse(&ChannelDraft { name, channel_type, ..Default::default() }).unwrap();
            assert_eq!(channel.is_contacting(), is_contacting, "{name} {channel_type}");
        };
        check("email", "", true);
        check("SMS", "", true);
        check("Web", "", false);
        check("in_app", "", false);
        check("Checkout banner", "", true);
        check("Checkout banner", "web", false);
        check("web", "email", true);
    }

    #[test]
    fn every_fault_has_its_path() {
        let source = ["timezone".to_owned(), "customer.".to_owned()];
        let draft = ChannelDraft {
            name: "x",
            channel_type: "fax",
            quiet_hours_start: "21:00",
            timezone_source: &source,
            consent_field: "a b",
            ..Default::default()
        };
        assert_eq!(
            faults(draft),
            [
                "channel_type: `fax` is unknown; known are email, sms, push, whatsapp, \
                 direct_mail, call, web, in_app, api, webhook",
                "config.quiet_hours_end: is required with `quiet_hours_start`",
                "config.timezone_source[0]: `timezone` must be a customer field such as \
                 `customer.timezone`",
                "config.timezone_source[1]: `customer.` must be a customer field such as \
                 `customer.timezone`",
                "config.consent_field: `a b` must be a customer field such as `consentEmail`",
            ]
        );
    }

    #[test]
    fn a_slot_is_held_longer_where_people_are_contacted() {
        let of = |name: &str| Channel::parse(&ChannelDraft { name, ..Default::default() }).unwrap();
        assert_eq!(reservation_ttl(Some(&of("email"))), TimeDelta::hours(24));
        assert_eq!(reservation_ttl(Some(&of("web"))), TimeDelta::minutes(15));
        assert_eq!(reservation_ttl(None), TimeDelta::hours(24));
    }
}
