//! Reports: what is counted apart, the days it is counted by, and how an answer is added up.

pub mod answer;
pub mod cell;
pub mod chunk;
pub mod day;
pub mod picture;
pub mod question;
pub mod stretch;
pub mod table;
