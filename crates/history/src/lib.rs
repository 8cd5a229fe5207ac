//! The revision log: every write of configuration appends; current state, past, watch and audit are
//! reads of it.
//!
//! - [`History`]: the log of one service, on SQLite or PostgreSQL. Revisions count from 1 per
//!   tenant, without a gap; each entry's hash covers the one before it.
//! - [`crud`]: create, get, list, update and delete of every kind of resource; a service adds what
//!   only its [`ResourceKind`] checks.
//! - [`Collection`]: the resources of one kind, read as they are or were.
//! - [`Names`]: the ids and names in the logs of several services, each followed by its
//!   [`LogServer`]. What a resource refers to is resolved against them and bound to an id.
//!
//! It knows no domain word, and customer data never enters it: an entry stays for ever.

mod at_head;
mod author;
mod beside;
mod binder;
mod built_in;
mod chain;
mod collection;
pub mod crud;
mod directory;
mod entry;
mod error;
mod filter;
mod follow;
mod guard;
mod id;
mod kind;
mod log;
mod log_service;
mod page;
mod past;
mod reference;
mod service;
mod verify;
mod watch;
mod write;

pub use at_head::AtHead;
pub use author::Author;
pub use beside::rewrite_others;
pub use chain::hash_of;
pub use collection::{Collection, Resource, timestamp};
pub use directory::{Directory, Listed, Part, PartsOf};
pub use entry::{Entry, Present};
pub use error::HistoryError;
pub use filter::{Filter, Filters};
pub use follow::{ASK_MAX, Follower, Heard};
pub use id::{IdChoice, is_id, made_id};
pub use kind::{Draft, ResourceKind, ServiceContext};
pub use log::{History, head_of, migrations};
pub use log_service::{LOG_SERVICE, Log, LogPages, LogServer, remote_log};
pub use page::{Listing, PAGE_BYTES_MAX, PAGE_MAX, Page};
pub use past::{AsOf, Trail};
pub use reference::{Names, News, Resolved};
pub use verify::Verified;
pub use watch::{Changes, Heartbeat, WATCH_PAGE};
pub use write::{Change, Write};
