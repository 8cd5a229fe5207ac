//! Converts JSON of the REST contract to protobuf and back, by plans built once from the
//! descriptors.
//!
//! It knows no message by name. Options of the contract say what is special about a message
//! (`proffer/values/v1/json.proto`).

pub use proffer_proto::json::{number, print, shape};

pub mod fault;
pub mod field_path;
pub mod mask;
pub mod parse;
#[cfg(test)]
mod tests;
pub mod tree;
