//! The catalog of the past: read from its log like the present one, but only up to a moment.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt as _;
use proffer_proto::{catalog::v1::WatchCatalogRequest, values::v1::ConfigurationChange};
use tonic::Status;

use super::{Lookup, catalog::apply, follow::streaming};
use crate::domain::snapshot::Catalog;

/// Most catalogs of the past that are kept, over all tenants.
pub const KEPT_MAX: usize = 64;

/// Longest wait for the next page: what is behind is there.
const PAGE_WAIT_MAX: Duration = Duration::from_secs(10);

/// A moment of the log that lies behind.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// After this revision.
    Revision(i64),
    /// After the last entry written at or before this instant, in microseconds since 1970.
    Time(i64),
}

impl Moment {
    fn holds(self, change: &ConfigurationChange) -> bool {
        match self {
            Self::Revision(revision) => change.revision <= revision,
            Self::Time(us) => change.written_us <= us,
        }
    }
}

/// Catalogs by tenant and revision. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PastCatalogs(Arc<Mutex<RecentCatalogs>>);

/// With their tenants, the most recently used first.
type RecentCatalogs = VecDeque<(String, Arc<Catalog>)>;

impl PastCatalogs {
    /// The catalog of a moment at or before `head`, a revision that the log has.
    pub async fn at(
        &self,
        lookup: &Lookup,
        tenant: &str,
        moment: Moment,
        head: i64,
    ) -> Result<Arc<Catalog>, Status> {
        let wanted = match moment {
            Moment::Revision(revision) => revision,
            Moment::Time(_) => head,
        };
        let earlier = match moment {
            Moment::Revision(revision) => self.up_to(tenant, revision),
            // An earlier reading may lie behind the instant already.
            Moment::Time(_) => None,
        };
        if let Some(found) = earlier.as_ref().filter(|found| found.revision == wanted) {
            return Ok(self.used(tenant, found.clone()));
        }
        let mut known = earlier.map(|found| (*found).clone()).unwrap_or_default();
        let request = WatchCatalogRequest { after_revision: known.revision };
        let mut pages = lookup.watch_catalog(streaming(tenant, request)).await?.into_inner();
        'reading: while known.revision < wanted {
            let short = || {
                serve::unavailable(
                    "catalog",
                    &"its log does not reach the revision that was asked for",
                )
            };
            let page =
                tokio::time::timeout(PAGE_WAIT_MAX, pages.next()).await.map_err(|_| short())?;
            let page = page.transpose()?.ok_or_else(short)?;
            for change in page.changes.iter() {
                if !moment.holds(change) {
                    break 'reading;
                }
                apply(&mut known, change);
                known.revision = change.revision.max(known.revision);
            }
            // Revisions that touch nothing this service uses are in no page of their own.
            known.revision = known.revision.max(page.head_revision.min(wanted));
        }
        Ok(self.used(tenant, Arc::new(known)))
    }

    /// The newest kept catalog that is not newer than a revision.
    fn up_to(&self, tenant: &str, revision: i64) -> Option<Arc<Catalog>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant =
            kept.iter().filter(|(owner, found)| owner == tenant && found.revision <= revision);
        of_tenant.max_by_key(|(_, found)| found.revision).map(|(_, found)| found.clone())
    }

    /// Moves it, or puts it, to the front.
    fn used(&self, tenant: &str, made: Arc<Catalog>) -> Arc<Catalog> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(owner, found)| owner != tenant || found.revision != made.revision);
        kept.push_front((tenant.to_owned(), made.clone()));
        kept.truncate(KEPT_MAX);
        made
    }
}
