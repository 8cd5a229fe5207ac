//! The faults in the answer to a batch, in the names of JSON.

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

use crate::{json::field_path::Root, problem};

/// The field of an answer that holds a result per item, and the field of a result with its fault.
const RESULTS: &str = "results";
const ERROR: &str = "error";

/// Translates the fault of each result; `root` is an item of the request.
pub fn translate(answer: &mut DynamicMessage, root: Root<'_>) {
    let Some(Value::List(results)) = answer.get_field_by_name_mut(RESULTS) else { return };
    for result in results {
        let Value::Message(result) = result else { continue };
        let Some(field) = result.descriptor().get_field_by_name(ERROR) else { return };
        if !result.has_field(&field) {
            continue;
        }
        if let Value::Message(fault) = result.get_field_mut(&field) {
            problem::translate_item(fault, root);
        }
    }
}
