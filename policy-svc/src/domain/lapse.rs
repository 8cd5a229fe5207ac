//! Reservations that ended: how many lapsed, and the share that shows a sender who does not report.
//!
//! A slot that lapses gives its room back. If the message was sent all the same, no cap counts it,
//! and only this share shows it.

use chrono::TimeDelta;

use super::{facts::Subject, scope::Scope};

/// How long an ended reservation is looked at.
pub const ENDED_WITHIN: TimeDelta = TimeDelta::days(7);
/// A share above this is warned about.
pub const SHARE_MAX: f64 = 0.2;

/// How many reservations about one thing ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// What they were about.
    pub subject: Subject,
    /// Those that lapsed; a contact that was reported later is still among them.
    pub lapsed: i64,
    /// Those that were committed while they lived.
    pub committed: i64,
}

/// The share of lapsed reservations in a scope, 0 to 1; `None` when none ended.
pub fn lapsed_share(scope: &Scope, ended: &[Ended]) -> Option<f64> {
    let (mut lapsed, mut all) = (0, 0);
    for one in ended.iter().filter(|one| scope.matches(&one.subject)) {
        lapsed += one.lapsed;
        all += one.lapsed + one.committed;
    }
    (all > 0).then(|| lapsed as f64 / all as f64)
}

/// What to say about a share that is too high.
pub fn warning(share: f64) -> Option<String> {
    let remedy = "commit each contact before it is sent, or report impressions and responses with \
                  their `decisionId`";
    let percent = share * 100.0;
    (share > SHARE_MAX).then(|| {
        format!(
            "{percent:.0} % of the reservations in scope that ended in the last 7 days lapsed: \
             what was sent under them is not counted; {remedy}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_what_ended_in_scope() {
        let ended = |category: &str, lapsed, committed| {
            let category_folded = category.to_owned();
            let offer_id = "off".to_owned();
            let subject = Subject { offer_id, category_folded, ..Subject::default() };
            Ended { subject, lapsed, committed }
        };
        let all = [ended("apparel", 1, 3), ended("home", 5, 0), ended("toys", 0, 4)];
        let share = |scope: &str| lapsed_share(&Scope::parse(scope).unwrap(), &all);
        assert_eq!(share("category:Apparel"), Some(0.25));
        assert_eq!(share("category:Apparel,Home"), Some(6.0 / 9.0));
        assert_eq!(share("category:Toys"), Some(0.0));
        assert_eq!(share("category:Shoes"), None);
        assert_eq!(share("global"), Some(6.0 / 13.0));
    }

    #[test]
    fn more_than_a_fifth_is_warned_about_with_the_remedy() {
        assert_eq!(warning(0.2), None);
        let text = warning(0.384).unwrap();
        assert!(text.starts_with("38 % of the reservations") && text.contains("`decisionId`"));
    }
}
