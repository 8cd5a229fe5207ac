//! The answer as it is shown, made of the same parts whether it is given now or again.

use proffer_proto::decision::v1 as proto;

use super::{
    reason_code::into_proto,
    record::{self, Circumstances},
};
use crate::domain::{
    decide::{self, Answer, Inputs},
    judgement::{Judgement, Refusal},
    plan::Plan,
    request::Question,
};

/// What an answer is made of beside question, plan and judgement.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Why nothing could be planned.
    pub obstacle: Option<Refusal>,
    /// The experiment that holds the customer out.
    pub held_out_of: Option<String>,
    /// IANA zone of `today()`.
    pub timezone: String,
    /// Where the zone comes from.
    pub timezone_source: String,
    /// The decision that holds the slots; none on a dry run.
    pub decision_id: Option<String>,
    /// What was not as it should be.
    pub degraded: Vec<String>,
    /// The configuration used.
    pub snapshot: Vec<String>,
    /// Time since the question, in milliseconds.
    pub latency_ms: f64,
}

/// Makes the answer, and shows it.
pub fn answer(
    question: &Question,
    plan: &Plan,
    judgement: Option<&Judgement>,
    about: About,
) -> (Answer, proto::Decision) {
    let held_out_of = about.held_out_of.as_deref();
    let inputs =
        Inputs { obstacle: about.obstacle, plan, judgement, held_out_of, limit: question.limit };
    let answer = decide::decide(&inputs);
    let circumstances = Circumstances {
        timezone: about.timezone,
        timezone_source: about.timezone_source,
        tz_version: chrono_tz::IANA_TZDB_VERSION.to_owned(),
        consent_sources: judgement
            .map(|judgement| judgement.consent_sources.clone())
            .unwrap_or_default(),
        notes: notes(question, plan, judgement),
        is_explained: question.is_explained,
    };
    let refusal = answer.refusal.as_ref();
    let shown = proto::Decision {
        decisions: answer.offers.iter().map(record::offer_decision).collect(),
        reason: refusal.map(|refusal| refusal.reason.clone()).unwrap_or_default(),
        reason_code: refusal
            .map(|refusal| into_proto(refusal.reason_code))
            .unwrap_or_default()
            .into(),
        deliver_after: refusal.and_then(|refusal| refusal.deliver_after.clone()),
        decision_id: about.decision_id,
        latency_ms: about.latency_ms,
        control_group: held_out_of.is_some(),
        reserved_until: answer.reserved_until.map(history::timestamp),
        dry_run: question.is_dry_run,
        degraded: about.degraded,
        snapshot: about.snapshot,
        trace: Some(record::trace(plan, &answer, &circumstances)),
        next_allowed_at: answer.next_allowed_at.map(history::timestamp),
    };
    (answer, shown)
}

fn notes(question: &Question, plan: &Plan, judgement: Option<&Judgement>) -> Vec<String> {
    let mut notes = plan.notes.clone();
    let skewed = judgement.filter(|judgement| judgement.tz_version != chrono_tz::IANA_TZDB_VERSION);
    if let Some(judgement) = skewed {
        notes.push(format!(
            "quiet hours were judged by time zone database {}",
            judgement.tz_version
        ));
    }
    if question.channel.is_empty() {
        notes.push("no channel: channel rules skipped".to_owned());
    }
    notes
}
