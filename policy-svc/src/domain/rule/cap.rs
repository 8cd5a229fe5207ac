//! The shared part of `frequency_cap`, `customer_total_cap` and `cross_channel_cap`: a maximum of
//! contacts per window or calendar period.

use chrono::{DateTime, Utc};

use super::{
    finding::{Constant, Evaluation, Finding},
    ground::{Ground, Reads},
    kind::PolicyKind,
    period::{self, Period},
    tally::{Span, Tally},
    window::{WINDOW_DAYS_MAX, WINDOW_HOURS_MAX, Window},
};
use crate::domain::{Faults, facts::Subject, refusal::ReasonCode, scope::Scope};

/// Highest limit of a cap.
pub const LIMIT_MAX: i32 = 10_000;

/// At most so many in a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Where they count.
    pub span: Span,
    /// The most that may count.
    pub most: usize,
}

/// What tells one kind of cap from the others.
#[derive(Debug)]
pub struct CapKind {
    /// The kind's name.
    pub name: &'static str,
    /// Why it refuses.
    pub code: ReasonCode,
    /// The scope that binds, given the written one.
    pub scope: fn(Scope) -> Scope,
    /// What is wrong with the written scope.
    pub scope_fault: fn(&Scope) -> Option<&'static str>,
}

/// Limits that all hold.
#[derive(Clone, Debug)]
pub struct Cap {
    kind: &'static CapKind,
    /// The sliding one first.
    pub limits: Vec<Limit>,
}

/// A cap as written, unchecked; 0 is none given.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the fields of the resource")]
pub struct CapDraft {
    pub window_days: i32,
    pub window_hours: i32,
    pub max_impressions: i32,
    pub max_per_day: i32,
    pub max_per_week: i32,
    pub max_per_month: i32,
}

impl CapKind {
    /// A kind that counts and refuses what is in its scope.
    pub const fn new(name: &'static str, code: ReasonCode) -> Self {
        Self { name, code, scope: |written| written, scope_fault: |_| None }
    }

    /// Checks a cap. The kind's name is the path of its fields.
    pub fn parse(&'static self, draft: CapDraft) -> Result<Cap, Faults> {
        let rule_type = self.name;
        let mut faults = Faults::new();
        let calendar = [
            ("max_per_day", draft.max_per_day, Period::Day),
            ("max_per_week", draft.max_per_week, Period::Week),
            ("max_per_month", draft.max_per_month, Period::Month),
        ];
        let has_calendar = calendar.iter().any(|(_, most, _)| *most != 0);
        let has_sliding =
            (draft.window_days, draft.window_hours, draft.max_impressions) != (0, 0, 0);
        let mut limits = Vec::new();
        if has_sliding || !has_calendar {
            limits.extend(sliding(rule_type, draft, &mut faults));
        }
        for (field, most, period) in calendar.into_iter().filter(|(_, most, _)| *most != 0) {
            limits.extend(limit(rule_type, field, Span::Calendar(period), most, &mut faults));
        }
        if faults.is_empty() { Ok(Cap { kind: self, limits }) } else { Err(faults) }
    }
}

impl PolicyKind for Cap {
    fn name(&self) -> &'static str {
        self.kind.name
    }

    fn reads(&self) -> Reads<'_> {
        let reach = |limit: &Limit| match limit.span {
            Span::Sliding(window) => window.length(),
            Span::Calendar(_) => period::LENGTH_MAX,
        };
        let contacts = Some(self.limits.iter().map(reach).max().unwrap_or_default());
        Reads { contacts, ..Reads::default() }
    }

    /// One count serves every candidate, because the scope is one shared budget. While a slot is
    /// held nothing is counted again.
    fn open<'a>(&'a self, ground: Ground<'a>) -> Box<dyn Evaluation + 'a> {
        if ground.is_slot_held {
            return Box::new(Constant(Finding::default()));
        }
        let is_calendar = |limit: &Limit| matches!(limit.span, Span::Calendar(_));
        let zones = match ground.zones {
            Err(unknown) if self.limits.iter().any(is_calendar) => {
                return Box::new(Constant(Finding::zone_unknown(unknown)));
            }
            Ok(zones) => zones.as_slice(),
            Err(_) => &[],
        };
        let mut tallies = Vec::new();
        for Limit { span, most } in &self.limits {
            match *span {
                Span::Sliding(window) => {
                    tallies.push(Tally::sliding(window, *most, ground.scope, &ground.contacts));
                }
                Span::Calendar(period) => tallies.extend(zones.iter().map(|zone| {
                    Tally::calendar(period, *zone, *most, ground.scope, &ground.contacts)
                })),
            }
        }
        let code = self.kind.code;
        let finding = finding(code, &tallies);
        Box::new(Counting { code, tallies, finding })
    }

    fn scope(&self, written: Scope) -> Scope {
        (self.kind.scope)(written)
    }

    fn scope_fault(&self, written: &Scope) -> Option<&'static str> {
        (self.kind.scope_fault)(written)
    }
}

fn sliding(rule_type: &str, draft: CapDraft, faults: &mut Faults) -> Option<Limit> {
    let mut fault = |field: &str, text: String| {
        faults.push((format!("{rule_type}.{field}"), text));
        None
    };
    let window = match (draft.window_days, draft.window_hours) {
        (0, 0) => fault("window_days", "is required, or `window_hours`".to_owned()),
        (days @ 1..=WINDOW_DAYS_MAX, 0) => Some(Window::Days(days)),
        (0, hours @ 1..=WINDOW_HOURS_MAX) => Some(Window::Hours(hours)),
        (days, 0) => fault("window_days", format!("is {days}; it must be 1 to {WINDOW_DAYS_MAX}")),
        (0, hours) => {
            fault("window_hours", format!("is {hours}; it must be 1 to {WINDOW_HOURS_MAX}"))
        }
        _ => fault("window_hours", "must be left out when `window_days` is given".to_owned()),
    };
    let span = Span::Sliding(window.unwrap_or(Window::Days(0)));
    let limit = limit(rule_type, "max_impressions", span, draft.max_impressions, faults);
    window.and(limit)
}

fn limit(
    rule_type: &str,
    field: &str,
    span: Span,
    most: i32,
    faults: &mut Faults,
) -> Option<Limit> {
    let found = usize::try_from(most).ok().filter(|_| (1..=LIMIT_MAX).contains(&most));
    if found.is_none() {
        faults.push((
            format!("{rule_type}.{field}"),
            format!("is {most}; it must be 1 to {LIMIT_MAX}"),
        ));
    }
    found.map(|most| Limit { span, most })
}

struct Counting {
    code: ReasonCode,
    tallies: Vec<Tally>,
    finding: Finding,
}

impl Evaluation for Counting {
    fn finding(&mut self, _: &Subject) -> Option<Finding> {
        Some(self.finding.clone())
    }

    fn reserve(&mut self, _: &Subject, until: DateTime<Utc>) {
        self.tallies.iter_mut().for_each(|tally| tally.reserve(until));
        self.finding = finding(self.code, &self.tallies);
    }

    fn overall(&self) -> Finding {
        self.finding.clone()
    }
}

/// The full count that lasts longest refuses; when all have room, the first one is shown.
fn finding(code: ReasonCode, tallies: &[Tally]) -> Finding {
    let full = tallies.iter().filter(|tally| !tally.has_room());
    // A count that was cut has no known end: it outlasts all others.
    let longest =
        full.max_by_key(|tally| tally.next_room_at().map_or((true, None), |at| (false, Some(at))));
    let Some(tally) = longest.or(tallies.first()) else { return Finding::default() };
    Finding {
        refusal: longest.map(|tally| (code, tally.refused_text())),
        passed: Some(tally.passed_text()),
        counted: tally.contacts(),
        reserved: tally.reserved(),
        limit: tally.limit(),
        window_seconds: tally.length().num_seconds(),
        next_allowed_at: tally.next_room_at(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: CapDraft = CapDraft {
        window_days: 0,
        window_hours: 0,
        max_impressions: 0,
        max_per_day: 0,
        max_per_week: 0,
        max_per_month: 0,
    };

    static KIND: CapKind = CapKind::new("frequency_cap", ReasonCode::FrequencyCap);

    fn check(draft: CapDraft, expected: &[&str]) {
        let faults = KIND.parse(draft).map(|_| Faults::new()).unwrap_or_else(|faults| faults);
        let texts: Vec<_> =
            faults.into_iter().map(|(path, text)| format!("{path} {text}")).collect();
        assert_eq!(texts, expected, "{draft:?}");
    }

    #[test]
    fn one_window_and_a_limit_are_needed() {
        let check =
            |window_days: i32, window_hours: i32, max_impressions: i32, expected: &[&str]| {
                check(CapDraft { window_days, window_hours, max_impressions, ..NONE }, expected);
            };
        check(30, 0, 3, &[]);
        check(365, 0, 10_000, &[]);
        check(0, 8_760, 1, &[]);
        check(366, 0, 1, &["frequency_cap.window_days is 366; it must be 1 to 365"]);
        check(0, 8_761, 1, &["frequency_cap.window_hours is 8761; it must be 1 to 8760"]);
        check(
            1,
            1,
            1,
            &["frequency_cap.window_hours must be left out when `window_days` is given"],
        );
        check(
            0,
            0,
            0,
            &[
                "frequency_cap.window_days is required, or `window_hours`",
                "frequency_cap.max_impressions is 0; it must be 1 to 10000",
            ],
        );
        check(
            -1,
            0,
            10_001,
            &[
                "frequency_cap.window_days is -1; it must be 1 to 365",
                "frequency_cap.max_impressions is 10001; it must be 1 to 10000",
            ],
        );
    }

    #[test]
    fn calendar_limits_stand_alone_or_beside_a_window() {
        check(CapDraft { max_per_day: 1, ..NONE }, &[]);
        check(CapDraft { max_per_day: 1, max_per_week: 3, max_per_month: 10_000, ..NONE }, &[]);
        check(CapDraft { window_days: 7, max_impressions: 3, max_per_day: 1, ..NONE }, &[]);
        check(
            CapDraft { window_days: 7, max_per_month: 10_001, max_per_week: -1, ..NONE },
            &[
                "frequency_cap.max_impressions is 0; it must be 1 to 10000",
                "frequency_cap.max_per_week is -1; it must be 1 to 10000",
                "frequency_cap.max_per_month is 10001; it must be 1 to 10000",
            ],
        );
        let draft = CapDraft { window_days: 7, max_impressions: 3, max_per_day: 1, ..NONE };
        let both = KIND.parse(draft).unwrap();
        assert_eq!(both.limits.len(), 2);
        assert_eq!(both.limits[0], Limit { span: Span::Sliding(Window::Days(7)), most: 3 });
    }
}
