//! What a treatment changes, learned from a randomized experiment: pure statistics.
//!
//! - [`encode`]: the features of a row as a vector of numbers.
//! - [`fold`]: which of five parts a unit belongs to.
//! - [`predict`]: what a learned model says of one unit. Transcendental functions come from `libm`,
//!   so every machine says the same.
//! - [`segment`]: the words for it.
//! - `fit`, with the feature `fit`: learns a model, and says how far it can be believed.
//!
//! A unit is always scored by the model that was learned without its fold, whether it was in the
//! experiment or is new, so that both are scored alike.

pub mod encode;
#[cfg(feature = "fit")]
pub mod fit;
pub mod fold;
pub mod predict;
pub mod segment;

pub use encode::{Column, Encoding, Field, Fitting, Kind, Value};
pub use fold::{FOLDS, fold_of};
pub use predict::{BINS, Bin, FoldModel, Model, Money, Prediction};
pub use segment::Segment;
