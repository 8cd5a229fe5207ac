//! Words for what treatment changes.

/// Effects within it are none to speak of, as differences of probabilities.
const NEGLIGIBLE: f64 = 0.02;

/// What a unit is, as far as the interval of its bin tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Treatment helps.
    Persuadable,
    /// Treatment changes next to nothing, and the outcome is likely without it.
    SureThing,
    /// Treatment changes next to nothing, and the outcome is unlikely.
    LostCause,
    /// Treatment harms.
    SleepingDog,
    /// The interval allows too much.
    Uncertain,
}

impl Segment {
    /// The word for an interval of effects and a baseline above the median or not. Of money nothing
    /// is negligible: how much would depend on the currency.
    pub fn of([low, high]: [f64; 2], is_likely: bool, in_money: bool) -> Self {
        if high < 0.0 {
            Self::SleepingDog
        } else if low > 0.0 {
            Self::Persuadable
        } else if in_money || !(low >= -NEGLIGIBLE && high <= NEGLIGIBLE) {
            Self::Uncertain
        } else if is_likely {
            Self::SureThing
        } else {
            Self::LostCause
        }
    }

    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Persuadable => "persuadable",
            Self::SureThing => "sure_thing",
            Self::LostCause => "lost_cause",
            Self::SleepingDog => "sleeping_dog",
            Self::Uncertain => "uncertain",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_needs_an_interval_that_excludes_the_others() {
        for (interval, is_likely, name) in [
            ([0.001, 0.3], false, "persuadable"),
            ([-0.3, -0.001], true, "sleeping_dog"),
            ([-0.02, 0.02], true, "sure_thing"),
            ([-0.02, 0.02], false, "lost_cause"),
            ([0.0, 0.021], true, "uncertain"),
            ([-0.021, 0.0], true, "uncertain"),
            ([f64::NAN, f64::NAN], true, "uncertain"),
        ] {
            assert_eq!(Segment::of(interval, is_likely, false).name(), name, "{interval:?}");
        }
        assert_eq!(Segment::of([-0.01, 0.01], true, true), Segment::Uncertain, "of money");
    }
}
