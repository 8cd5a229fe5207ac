//! Parses the message of a creative.

use std::collections::BTreeMap;

use formula::rule::Literal;
use proffer_proto::catalog::v1 as proto;
use prost::Message as _;

use wire::value::literal;

use crate::domain::{
    Faults,
    creative::{Creative, WEIGHT_DEFAULT, content_path},
};

/// The creative as the domain knows it, and the faults of its values by path.
pub fn creative(found: &proto::Creative) -> (Creative, Faults) {
    let mut faults = Faults::new();
    let mut content = BTreeMap::new();
    for (key, value) in &found.content {
        match literal(Some(value)) {
            Ok(value) => drop(content.insert(key.clone(), value)),
            Err(message) => {
                faults.push((content_path(key), message));
                // In place of the faulty value, whose own fault is reported: its key is counted
                // and judged.
                content.insert(key.clone(), Literal::Boolean(false));
            }
        }
    }
    let alone = proto::Creative { content: found.content.clone(), ..Default::default() };
    let creative = Creative {
        offer: found.offer.clone(),
        channel: found.channel.clone(),
        placement: found.placement.clone(),
        weight: found.weight.unwrap_or(WEIGHT_DEFAULT),
        content,
        content_bytes: alone.encoded_len(),
    };
    (creative, faults)
}
