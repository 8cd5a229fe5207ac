//! JSON of the REST contract to protobuf and back, by plans made once from the descriptors.
//!
//! It knows no message by name: what is special about one is said by its options
//! (`proffer/values/v1/json.proto`).

pub mod fault;
pub mod field_path;
pub mod mask;
pub mod number;
pub mod parse;
pub mod print;
pub mod shape;
#[cfg(test)]
mod tests;
pub mod tree;
