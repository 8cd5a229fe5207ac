//! The inputs of an evaluation: record, attributes, metrics and instant.

use formula::Moment;

use crate::domain::{
    creative::Surface,
    metric::Metrics,
    responses::Responses,
    scalar::Fields,
    score::{Engagement, OnlineScorer, Uplift},
};

/// The facts of one decision.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The customer's record.
    pub record: &'a Fields,
    /// The request's attributes.
    pub attributes: &'a Fields,
    /// The customer's behavioral metrics.
    pub metrics: &'a Metrics,
    /// Channel and placement of the offer.
    pub surface: &'a Surface,
    /// The instant of the decision and the customer's time zone.
    pub moment: &'a Moment,
    /// What each effect model of the flow says of the customer, by index.
    pub uplifts: &'a [Option<Uplift>],
    /// How customers responded to offers; none when it is not known or not asked for.
    pub responses: Option<&'a Responses>,
    /// Id of the customer.
    pub customer_id: &'a str,
    /// Id of the flow.
    pub flow_id: &'a str,
    /// How the customer responds on the channel, where a flow learns from it.
    pub engagement: Option<Engagement>,
    /// What a flow that explores draws by; none where nothing is drawn.
    pub seed: Option<u64>,
    /// The online model of propensity with the customer's features; none where none is published.
    pub online: Option<OnlineScorer>,
}

impl<'a> Facts<'a> {
    /// Facts without metrics, channel, placement, effect models, responses and ids.
    pub fn of_record(record: &'a Fields, attributes: &'a Fields, moment: &'a Moment) -> Self {
        static METRICS: Metrics = Metrics::new();
        static SURFACE: Surface = Surface { channel: None, placement: String::new() };
        Self {
            record,
            attributes,
            metrics: &METRICS,
            surface: &SURFACE,
            moment,
            uplifts: &[],
            responses: None,
            customer_id: "",
            flow_id: "",
            engagement: None,
            seed: None,
            online: None,
        }
    }
}
