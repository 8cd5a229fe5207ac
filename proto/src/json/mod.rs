//! How the messages of the contracts are written as JSON. Options of the contracts say what is
//! special about a message (`proffer/values/v1/json.proto`).

pub mod annotation;
pub mod change;
pub mod number;
pub mod path;
pub mod print;
pub mod shape;
