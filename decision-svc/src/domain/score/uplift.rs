//! The effect of contact on conversion, as an uplift model estimates it.

use uplift::Segment;

/// What contact changes, for a customer and an offer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uplift {
    /// Change of the conversion probability by contact, -1 to 1; of a model in money, of the
    /// revenue.
    pub effect: f64,
    /// Bounds within which the effect lies with a probability of 95 %, for all bins together.
    pub interval: (f64, f64),
    /// Probability that the effect is positive: the factor U of the rank.
    pub helps: f64,
    /// Conversion probability, or revenue, without contact.
    pub baseline: f64,
    /// How the customer reacts to contact.
    pub segment: Segment,
    /// Revision of the model.
    pub model_revision: i64,
}

/// The segment of an estimate; uncertain when there is none.
pub fn segment_of(uplift: Option<&Uplift>) -> Segment {
    uplift.map_or(Segment::Uncertain, |uplift| uplift.segment)
}
