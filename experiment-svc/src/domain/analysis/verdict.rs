//! The words of a verdict.

/// What may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Treatment is better: p and interval both exclude no effect.
    Gain,
    /// Treatment is worse, likewise.
    Loss,
    /// The figures show neither.
    Inconclusive,
    /// Too early or unsound.
    Withheld,
}
