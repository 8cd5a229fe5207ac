//! JSON to protobuf and back on the real contracts.

mod examples;
mod faults;
mod paths;
mod properties;

use std::sync::LazyLock;

use prost::Message as _;
use prost_reflect::{DynamicMessage, ReflectMessage as _};

use super::{
    fault::Faults,
    parse::{self, Nulls},
    print,
    shape::{Shape, Shapes},
    tree,
};
use crate::route_table::RouteTable;

static TABLE: LazyLock<RouteTable> =
    LazyLock::new(|| RouteTable::build(&proffer_proto::POOL).unwrap());

fn shapes() -> &'static Shapes {
    &TABLE.shapes
}

/// The plan of a message, named as in `catalog.Offer`.
fn shape(name: &str) -> &'static Shape {
    let (package, message) = name.split_once('.').unwrap();
    shapes().named(&format!("proffer.{package}.v1.{message}")).unwrap()
}

fn read_with(
    name: &str,
    text: &str,
    nulls: Nulls,
) -> Result<DynamicMessage, Vec<(String, String)>> {
    let mut faults = Faults::default();
    let json = tree::read(text, &mut faults)
        .map_err(|error| vec![("body".to_owned(), error.to_string())])?;
    let message = parse::message(shapes(), shape(name), &json, nulls, &mut faults);
    if faults.is_empty() { Ok(message) } else { Err(faults.into_list()) }
}

fn read(name: &str, text: &str) -> Result<DynamicMessage, Vec<(String, String)>> {
    read_with(name, text, Nulls::LeftOut)
}

/// True when both are the same on the wire. (Their Debug form never ends for a message that holds
/// itself.)
fn is_same(left: &DynamicMessage, right: &DynamicMessage) -> bool {
    let normal = |message: &DynamicMessage| {
        DynamicMessage::decode(message.descriptor(), message.encode_to_vec().as_slice())
    };
    normal(left).unwrap() == normal(right).unwrap()
}

fn printed(name: &str, message: &DynamicMessage) -> String {
    let text = String::from_utf8(print::message(shapes(), shape(name), message)).unwrap();
    serde_json::from_str::<serde_json::Value>(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}"));
    text
}
