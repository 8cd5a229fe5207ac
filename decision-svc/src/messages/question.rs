//! Parses a `RecommendRequest`. A request is parsed when it arrives, and again from the record when
//! its decision is replayed.

use proffer_proto::decision::v1 as proto;

use super::{instant, scalar};
use crate::domain::{
    request::{
        ITEMS_MAX, LIMIT_DEFAULT, LIMIT_MAX, MinRevisions, Question, TEXT_BYTES_MAX, id_fault,
        text_fault,
    },
    scalar::Fields,
};

/// The fault of a request that may contact somebody nobody knows where.
const CHANNEL_REQUIRED: &str = "is required: give the channel on which the customer is contacted, \
                                or say `\"contact\": false` when nobody is";

/// Faults by field.
pub type Faults = Vec<(String, String)>;

/// The question and all its faults. A question with faults is not decided.
pub fn read(request: &proto::RecommendRequest) -> (Question, Faults) {
    let mut faults = Faults::new();
    let mut fault = |field: &str, message: String| faults.push((field.to_owned(), message));
    if let Some(message) = id_fault(&request.customer_id) {
        fault("customer_id", message);
    }
    if let Some(message) = id_fault(&request.request_id).filter(|_| !request.request_id.is_empty())
    {
        fault("request_id", message);
    }
    let flow = if request.flow.is_empty() { &request.flow_id } else { &request.flow };
    if flow.is_empty() {
        fault("flow", "is required: id or name of a decision flow".to_owned());
    }
    if !request.flow.is_empty() && !request.flow_id.is_empty() && request.flow != request.flow_id {
        fault("flow_id", "is another flow than `flow`; give one of them".to_owned());
    }
    for (field, text) in
        [("channel", &request.channel), ("flow", flow), ("placement", &request.placement)]
    {
        if let Some(message) = text_fault(text) {
            fault(field, message);
        }
    }
    let is_contact = request.contact.unwrap_or(true);
    if is_contact && request.channel.is_empty() {
        fault("channel", CHANNEL_REQUIRED.to_owned());
    }
    let limit = request.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        fault("limit", format!("is {limit}; it must be 1 to {LIMIT_MAX}"));
    }
    let excluded = request.exclude_offers.len();
    if excluded > ITEMS_MAX {
        fault("exclude_offers", format!("has {excluded}, which exceeds the maximum {ITEMS_MAX}"));
    }
    let (attributes, broken) = attributes(request);
    broken.into_iter().for_each(|(field, message)| fault(&field, message));
    let at = request.at.as_ref().map(instant).transpose().unwrap_or_else(|message| {
        fault("at", message);
        None
    });
    if at.is_some() && !request.dry_run {
        fault("at", "is allowed only with `dryRun`: a decision is made now".to_owned());
    }
    let min_revisions = MinRevisions::parse(&request.min_revision).unwrap_or_else(|message| {
        fault("min_revision", message);
        MinRevisions::default()
    });
    let question = Question {
        customer_id: request.customer_id.clone(),
        channel: request.channel.clone(),
        is_contact,
        flow: flow.clone(),
        placement: request.placement.clone(),
        limit: usize::try_from(limit).unwrap_or(1),
        attributes,
        exclude_offers: request.exclude_offers.clone(),
        request_id: request.request_id.clone(),
        is_holding: request.hold.unwrap_or(true),
        is_dry_run: request.dry_run,
        at,
        is_explained: request.explain,
        min_revisions,
    };
    (question, faults)
}

fn attributes(request: &proto::RecommendRequest) -> (Fields, Faults) {
    let mut faults = Faults::new();
    let mut fault = |field: String, message: String| faults.push((field, message));
    let count = request.attributes.len();
    if count > ITEMS_MAX {
        let message = format!("has {count}, which exceeds the maximum {ITEMS_MAX}");
        fault("attributes".to_owned(), message);
    }
    let mut attributes = Fields::new();
    for (name, value) in &request.attributes {
        match scalar::parse(value) {
            Ok(Some(value)) => drop(attributes.insert(name.clone(), value)),
            Ok(None) => {}
            Err(message) => fault(format!("attributes.{name}"), message),
        }
        if name.is_empty() || name.len() > TEXT_BYTES_MAX || name.chars().any(char::is_control) {
            let wanted = "a name must have 1 to";
            let message = format!("{wanted} {TEXT_BYTES_MAX} bytes without control characters");
            fault("attributes".to_owned(), message);
        }
    }
    (attributes, faults)
}
