//! Consent: may the customer be contacted on this channel? Unknown means no, and the strictest
//! source wins.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    channel::Channel,
    facts::ConsentFact,
    folded,
    question::{FieldValue, Fields},
    refusal::{ReasonCode, Refusal},
};

/// A grant or withdrawal dated further ahead is refused.
pub const AHEAD_MAX: chrono::TimeDelta = chrono::TimeDelta::minutes(5);
/// The channel of a withdrawal that holds for every channel that contacts people.
pub const EVERY_CHANNEL: &str = "*";

/// What a customer said about being contacted, as it is kept. Never overwritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentRecord {
    /// The channel, or [`EVERY_CHANNEL`].
    pub channel_id: String,
    /// The channel's name, folded.
    pub channel_folded: String,
    /// A grant, or a withdrawal.
    pub is_grant: bool,
    /// When the customer said so.
    pub at: DateTime<Utc>,
    /// Where it was said.
    pub source: String,
    /// Proof.
    pub evidence: String,
    /// When it was received.
    pub received_at: DateTime<Utc>,
}

impl ConsentRecord {
    /// True when it says something about this channel. A grant is for the channel it was given for;
    /// a withdrawal holds for any later channel of the same name as well.
    pub fn speaks_for(&self, channel: &Channel) -> bool {
        let is_named = !self.is_grant && self.channel_folded == folded(&channel.name);
        let is_everywhere =
            !self.is_grant && self.channel_id == EVERY_CHANNEL && channel.is_contacting();
        self.channel_id == channel.id || is_named || is_everywhere
    }

    /// The part that a judgment reads.
    pub fn fact(&self) -> ConsentFact {
        ConsentFact { is_grant: self.is_grant, at: self.at }
    }
}

/// What the sources say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Those that spoke.
    pub sources: Vec<String>,
    /// Why contact is refused; none when it is allowed.
    pub refusal: Option<Refusal>,
}

/// Asks every source about one channel.
pub fn consent(channel: &Channel, fields: &Fields, records: &[ConsentFact]) -> Consent {
    let (mut sources, mut denial, mut unreadable, mut has_grant) = (Vec::new(), None, None, false);
    for (name, value) in fields {
        if !channel.is_consent_field(name) {
            continue;
        }
        let said = match value {
            FieldValue::Null => continue,
            FieldValue::Boolean(true) => "granted",
            FieldValue::Boolean(false) => "withheld",
            FieldValue::Text(_) | FieldValue::Number(_) | FieldValue::Other => "unreadable",
        };
        sources.push(format!("field customer.{name}: {said}"));
        match said {
            "granted" => has_grant = true,
            "withheld" => denial = denial.or(Some(name)),
            _ => unreadable = unreadable.or(Some(name)),
        }
    }
    let record = deciding(records);
    if let Some(record) = record {
        let said = if record.is_grant { "granted" } else { "withdrawn" };
        sources.push(format!("record {}: {said}", text(record.at)));
        has_grant |= record.is_grant;
    }
    let name = &channel.name;
    let withdrawal = record.filter(|record| !record.is_grant);
    // A field that the channel names is a source even when it is empty: naming it asks for an
    // answer.
    let must_be_granted = channel.is_contacting() || channel.consent_field.is_some();
    let refusal = if let Some(field) = denial {
        let reason = format!("customer withheld consent for channel {name} ({field} is false)");
        Some(Refusal::new(ReasonCode::ConsentWithheld, reason))
    } else if let Some(record) = withdrawal {
        let at = text(record.at);
        let reason = format!(
            "customer withdrew consent for channel {name} (record of {at}); a later grant lifts it"
        );
        Some(Refusal::new(ReasonCode::ConsentWithdrawn, reason))
    } else if let Some(field) = unreadable {
        let reason =
            format!("consent for channel {name} is unknown: {field} is neither true nor false");
        Some(Refusal::new(ReasonCode::ConsentUnknown, reason))
    } else if has_grant || !must_be_granted {
        None
    } else {
        let remedy = match &channel.consent_field {
            Some(field) => format!("{field} is not set; set it or record a grant"),
            None => "no field and no record grants it; record a grant, or set the channel's \
                     consentField"
                .to_owned(),
        };
        Some(Refusal::new(
            ReasonCode::ConsentUnknown,
            format!("consent for channel {name} is unknown: {remedy}"),
        ))
    };
    Consent { sources, refusal }
}

/// The record that decides: the latest; of two at the same instant the withdrawal.
pub fn deciding(records: &[ConsentFact]) -> Option<ConsentFact> {
    records.iter().copied().max_by_key(|record| (record.at, !record.is_grant))
}

/// True when nothing outdoes a record: on some channel it speaks for, a record of its kind decides.
/// `all` are the customer's records.
pub fn is_effective(record: &ConsentRecord, all: &[ConsentRecord], channels: &[Channel]) -> bool {
    let decides = |others: Vec<ConsentFact>| {
        deciding(&others).is_some_and(|found| found.is_grant == record.is_grant)
    };
    let spoken_for: Vec<_> = channels.iter().filter(|channel| record.speaks_for(channel)).collect();
    if spoken_for.is_empty() {
        // The channel is gone; only the records of that channel count.
        let same = all.iter().filter(|other| other.channel_id == record.channel_id);
        return decides(same.map(ConsentRecord::fact).collect());
    }
    spoken_for.into_iter().any(|channel| {
        decides(
            all.iter().filter(|other| other.speaks_for(channel)).map(ConsentRecord::fact).collect(),
        )
    })
}

/// The instant a record gets: never after its receipt, which is also the instant of one that names
/// none.
pub fn event_instant(at: Option<DateTime<Utc>>, received_at: DateTime<Utc>) -> DateTime<Utc> {
    at.map_or(received_at, |at| at.min(received_at))
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::channel::ChannelDraft;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
    }

    fn check(
        channel: (&str, &str),
        fields: &[(&str, FieldValue)],
        records: &[(i64, bool)],
        expected: &str,
    ) {
        let draft =
            ChannelDraft { name: channel.0, consent_field: channel.1, ..Default::default() };
        let channel = Channel::parse(&draft).unwrap();
        let fields =
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let records: Vec<_> = records
            .iter()
            .map(|(second, is_grant)| ConsentFact { is_grant: *is_grant, at: at(*second) })
            .collect();
        let got = consent(&channel, &fields, &records);
        let code = got.refusal.as_ref().map_or("allowed", |refusal| refusal.code.as_str());
        assert_eq!(code, expected, "{got:?}");
        // Order of arrival never matters.
        let reversed: Vec<_> = records.iter().rev().copied().collect();
        assert_eq!(consent(&channel, &fields, &reversed), got);
    }

    const YES: FieldValue = FieldValue::Boolean(true);
    const NO: FieldValue = FieldValue::Boolean(false);

    #[test]
    fn the_strictest_source_wins() {
        let email = ("email", "");
        check(email, &[], &[], "consent_unknown");
        check(email, &[("consentEmail", YES)], &[], "allowed");
        check(email, &[("consentEmail", NO)], &[], "consent_withheld");
        check(email, &[("consentEmail", FieldValue::Null)], &[], "consent_unknown");
        check(email, &[("consentSMS", YES)], &[], "consent_unknown");
        check(("SMS", ""), &[("consentsms", YES)], &[], "allowed");
        check(email, &[("optIn", YES)], &[], "consent_unknown");
        check(("email", "optIn"), &[("optIn", YES)], &[], "allowed");
        check(("email", "optIn"), &[("optIn", YES), ("consentEmail", NO)], &[], "consent_withheld");
        check(email, &[("consentEmail", NO)], &[(0, true)], "consent_withheld");
        check(email, &[("consentEmail", YES)], &[(0, false)], "consent_withdrawn");
        check(email, &[("consentEmail", NO)], &[(0, false)], "consent_withheld");
        check(
            email,
            &[("consentEmail", FieldValue::Text("true".into()))],
            &[(0, true)],
            "consent_unknown",
        );
    }

    #[test]
    fn the_latest_record_decides_and_a_withdrawal_wins_a_tie() {
        let email = ("email", "");
        check(email, &[], &[(0, true)], "allowed");
        check(email, &[], &[(0, true), (1, false)], "consent_withdrawn");
        check(email, &[], &[(0, false), (1, true)], "allowed");
        check(email, &[], &[(1, true), (1, false)], "consent_withdrawn");
        check(email, &[], &[(0, true), (2, true), (1, false)], "allowed");
    }

    /// Retries, old files and late mail: the instants decide, in whatever order records came.
    #[test]
    fn no_order_of_arrival_changes_what_holds() {
        let channel =
            Channel::parse(&ChannelDraft { name: "email", ..Default::default() }).unwrap();
        let told = |records: &[ConsentFact]| {
            consent(&channel, &Fields::new(), records)
                .refusal
                .map_or("allowed", |refusal| refusal.code.as_str())
        };
        // Every history of four records at three instants, in every order.
        for history in 0..6_usize.pow(4) {
            let record = |place: u32| {
                let digit = history / 6_usize.pow(place) % 6;
                ConsentFact { is_grant: digit < 3, at: at([0, 1, 2][digit % 3]) }
            };
            let records = [0, 1, 2, 3].map(record);
            let latest = records.iter().map(|record| record.at).max();
            let is_withdrawn =
                records.iter().any(|record| Some(record.at) == latest && !record.is_grant);
            let expected = if is_withdrawn { "consent_withdrawn" } else { "allowed" };
            for order in 0..4_usize.pow(4) {
                let places = [0, 1, 2, 3].map(|place| order / 4_usize.pow(place) % 4);
                if (0..4).all(|place| places.contains(&place)) {
                    assert_eq!(
                        told(&places.map(|place| records[place])),
                        expected,
                        "{records:?} {places:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_people_pull_from_is_allowed_until_someone_objects() {
        check(("web", ""), &[], &[], "allowed");
        check(("web", ""), &[], &[(0, false)], "consent_withdrawn");
        check(("web", ""), &[("consentWeb", NO)], &[], "consent_withheld");
        check(("web", "webOk"), &[], &[], "consent_unknown");
    }

    #[test]
    fn reasons_name_the_field() {
        let channel =
            Channel::parse(&ChannelDraft { name: "email", ..Default::default() }).unwrap();
        let fields = Fields::from([("consentEmail".to_owned(), NO)]);
        let got = consent(&channel, &fields, &[ConsentFact { is_grant: true, at: at(0) }]);
        assert_eq!(
            got.sources,
            ["field customer.consentEmail: withheld", "record 2026-09-21T14:13:20Z: granted"]
        );
        assert_eq!(
            got.refusal.unwrap().reason,
            "customer withheld consent for channel email (consentEmail is false)"
        );
    }
}
