//! Settings of every kind of the table, for tests of all kinds.

use proffer_proto::policy::v1::{self as proto, contact_policy::Rule};

/// Settings of every kind, strict enough to refuse something below.
pub fn samples() -> Vec<Rule> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let cap = proto::FrequencyCap { window_days: 7, max_impressions: 2, ..Default::default() };
    let total = proto::FrequencyCap { max_per_month: 3, ..Default::default() };
    vec![
        Rule::FrequencyCap(cap),
        Rule::CustomerTotalCap(total),
        Rule::CrossChannelCap(cap),
        Rule::Cooldown(proto::Cooldown { window_hours: 48 }),
        Rule::CategorySuppression(proto::CategorySuppression { window_days: 7 }),
        Rule::MutualExclusion(proto::MutualExclusion {
            offers: words(&["off_0", "off_1"]),
            window_days: 7,
        }),
        Rule::OutcomeBased(proto::OutcomeBased { outcomes: words(&["complaint"]), window_days: 7 }),
        Rule::TimeWindow(proto::TimeWindow {
            allowed_days: words(&["mon"]),
            start: "07:00".into(),
            end: "08:00".into(),
        }),
        Rule::SegmentExclusion(proto::SegmentExclusion {
            field: "customer.tier".into(),
            segments: words(&["gold"]),
        }),
        Rule::Budget(proto::Budget { window_days: 7, max_contacts: Some(2), ..Default::default() }),
        Rule::AllowOverride(proto::AllowOverride {}),
    ]
}
