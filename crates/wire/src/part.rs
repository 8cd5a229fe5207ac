//! The parts that resources of catalog-svc bring along and that others refer to by name: fields of
//! schemas, subcategories of offers, keys of outcome types.

use proffer_proto::{
    catalog::v1::{Offer, Schema},
    values::v1::ConfigurationChange,
};
use prost::Message as _;

use crate::{
    name::folded,
    named::{FIELD, OFFER, OUTCOME_TYPE, SCHEMA, SUBCATEGORY},
};

/// The fields of a schema, the subcategory of an offer, and the key of an outcome type.
pub fn parts(change: &ConfigurationChange) -> Vec<(&'static str, String)> {
    let resource = change.resource.as_slice();
    match change.kind.as_str() {
        SCHEMA => {
            let fields = Schema::decode(resource).unwrap_or_default().fields.into_iter();
            fields.map(|field| (FIELD, field.name)).collect()
        }
        OFFER => {
            let word = folded(&Offer::decode(resource).unwrap_or_default().subcategory);
            if word.is_empty() { Vec::new() } else { vec![(SUBCATEGORY, word)] }
        }
        // Only its key names an outcome type.
        OUTCOME_TYPE => vec![(OUTCOME_TYPE, change.id.clone())],
        _ => Vec::new(),
    }
}
