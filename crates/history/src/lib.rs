//! The revision log: every write of configuration appends; current state, past, watch and audit are
//! reads of it.
//!
//! - [`History`]: the log of one service, on SQLite or PostgreSQL. Revisions count from 1 per
//!   tenant, without a gap; each entry's hash covers the one before it.
//! - [`Collection`]: one kind of resource in the log, typed by its proto message: create, get,
//!   list, update, delete.
//!
//! It knows no domain word, and customer data never enters it: an entry stays for ever.

mod at_head;
mod chain;
mod collection;
mod error;
mod id;
mod log;
mod past;
mod service;
mod watch;

pub use at_head::AtHead;
pub use chain::hash_of;
pub use collection::{
    Author, Collection, Draft, PAGE_MAX, Page, Resource, page, settle_status, timestamp, token,
};
pub use error::HistoryError;
pub use id::{IdChoice, is_id, made_id};
pub use log::{Change, Entry, History, Present, Verified, Write, head_of, migrations};
pub use past::AsOf;
pub use watch::{Changes, WATCH_PAGE};
