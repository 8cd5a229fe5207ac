//! A watch: the entries after a revision, then every new one.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use proffer_proto::values::v1::ConfigurationChange;
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};

use crate::{Entry, History, HistoryError};

/// Entries read at once.
pub const WATCH_PAGE: i64 = 200;
/// Bytes of payload after which a page ends.
const PAGE_BYTES: usize = 200 * 1024;
/// How often the log is looked at for writes of other processes.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Polls without a change after which a heartbeat comes: three in two seconds.
const HEARTBEAT_POLLS: u32 = 3;

/// Whether a watch shows that it is alive while nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// It yields a page without changes each 600 ms, as long as the log can be read.
    Every600Ms,
    /// It yields changes only.
    None,
}

/// Changes, and the revision up to which the log is now known.
pub type Changes = (Vec<ConfigurationChange>, i64);

/// A page of a watch.
#[derive(Debug)]
pub(crate) struct ChangePage {
    /// In revision order.
    pub changes: Vec<ConfigurationChange>,
    /// The revision up to which the log is now known.
    pub head: i64,
    /// True when the log held nothing newer when the page was read.
    pub is_current: bool,
}

impl History {
    /// Answers a watch call: what [`Self::watch`] gives to its tenant.
    pub fn watch_call(
        &self,
        metadata: &MetadataMap,
        after: i64,
        heartbeat: Heartbeat,
    ) -> Result<impl Stream<Item = Result<Changes, Status>> + Send + 'static, Status> {
        let pages = self.pages_call(metadata, after, heartbeat)?;
        Ok(pages.map(|page| page.map(|page| (page.changes, page.head))))
    }

    /// The same with the news whether the log holds more.
    pub(crate) fn pages_call(
        &self,
        metadata: &MetadataMap,
        after: i64,
        heartbeat: Heartbeat,
    ) -> Result<impl Stream<Item = Result<ChangePage, Status>> + Send + 'static, Status> {
        let tenant = metadata::tenant(metadata)?;
        if after < 0 {
            let message = format!("is {after}; it must be 0 or more");
            return Err(Problem::invalid_field("after_revision", message).into());
        }
        Ok(self.pages(tenant, after, heartbeat).map(|page| Ok(page?)))
    }

    /// The entries of a tenant after a revision, then every new one as it is written; never ends by
    /// itself. The first item comes at once, even when it is empty.
    pub fn watch(
        &self,
        tenant: String,
        after: i64,
        heartbeat: Heartbeat,
    ) -> impl Stream<Item = Result<Changes, HistoryError>> + Send + 'static {
        self.pages(tenant, after, heartbeat).map(|page| page.map(|page| (page.changes, page.head)))
    }

    fn pages(
        &self,
        tenant: String,
        after: i64,
        heartbeat: Heartbeat,
    ) -> impl Stream<Item = Result<ChangePage, HistoryError>> + Send + 'static {
        let (history, mut bell) = (self.clone(), self.bell.subscribe());
        async_stream::try_stream! {
            let mut head = after;
            let (mut is_first, mut polls) = (true, 0);
            loop {
                bell.mark_unchanged();
                let mut bytes = 0;
                let mut changes = Vec::new();
                let found = history.entries(&tenant, head, WATCH_PAGE).await?;
                let mut is_current = i64::try_from(found.len()).is_ok_and(|n| n < WATCH_PAGE);
                for entry in found {
                    bytes += entry.payload.as_ref().map_or(0, Vec::len);
                    if bytes > PAGE_BYTES && !changes.is_empty() {
                        is_current = false;
                        break;
                    }
                    head = entry.revision;
                    changes.push(change(entry));
                }
                let is_due = heartbeat == Heartbeat::Every600Ms && polls >= HEARTBEAT_POLLS;
                if changes.is_empty() && !is_first && !is_due {
                    // A poll that times out looks again: another process may have written.
                    drop(tokio::time::timeout(POLL_INTERVAL, bell.changed()).await);
                    polls += 1;
                    continue;
                }
                (is_first, polls) = (false, 0);
                yield ChangePage { changes, head, is_current };
            }
        }
    }
}

/// An entry as followers get it.
pub(crate) fn change(entry: Entry) -> ConfigurationChange {
    ConfigurationChange {
        revision: entry.revision,
        kind: entry.kind,
        id: entry.id,
        deleted: entry.payload.is_none(),
        resource: entry.payload.unwrap_or_default(),
        name: entry.name,
        written_us: entry.at.timestamp_micros(),
    }
}
