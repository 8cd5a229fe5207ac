//! Configuration of the past: read from the log of its service like the present one, but only up to
//! a moment.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{Stream, StreamExt as _};
use proffer_proto::{
    catalog::v1::WatchCatalogRequest, experiment::v1::WatchExperimentsRequest,
    values::v1::ConfigurationChange,
};
use tonic::Status;

use super::{Ledger, Lookup, catalog, experiment, follow::streaming};
use crate::domain::snapshot::{Catalog, Experiments};

/// Most readings of the past that are kept of a service, over all tenants.
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

/// What one service configures.
pub trait Part: Clone + Default {
    /// Name of the service.
    const SERVICE: &'static str;
    /// Head of the log when it was read.
    fn revision(&mut self) -> &mut i64;
    /// Applies one change.
    fn apply(&mut self, change: &ConfigurationChange);
}

impl Part for Catalog {
    const SERVICE: &'static str = "catalog";

    fn revision(&mut self) -> &mut i64 {
        &mut self.revision
    }

    fn apply(&mut self, change: &ConfigurationChange) {
        catalog::apply(self, change);
    }
}

impl Part for Experiments {
    const SERVICE: &'static str = "experiment";

    fn revision(&mut self) -> &mut i64 {
        &mut self.revision
    }

    fn apply(&mut self, change: &ConfigurationChange) {
        experiment::apply(self, change);
    }
}

/// Readings of the past by tenant and revision. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Past<P>(Arc<Mutex<Recent<P>>>);

/// With tenant and revision, the most recently used first.
type Recent<P> = VecDeque<(String, i64, Arc<P>)>;

impl<P> Default for Past<P> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl Past<Catalog> {
    /// The catalog of a moment at or before `head`, a revision that the log has.
    pub async fn of_catalog(
        &self,
        lookup: &Lookup,
        tenant: &str,
        moment: Moment,
        head: i64,
    ) -> Result<Arc<Catalog>, Status> {
        let open = async |after_revision| {
            let request = streaming(tenant, WatchCatalogRequest { after_revision });
            let pages = lookup.watch_catalog(request).await?.into_inner();
            Ok(pages.map(|page| page.map(|page| (page.changes, page.head_revision))))
        };
        self.at(tenant, moment, head, open).await
    }
}

impl Past<Experiments> {
    /// The experiments of a moment at or before `head`, a revision that the log has.
    pub async fn of_experiments(
        &self,
        ledger: &Ledger,
        tenant: &str,
        moment: Moment,
        head: i64,
    ) -> Result<Arc<Experiments>, Status> {
        let open = async |after_revision| {
            let request = streaming(tenant, WatchExperimentsRequest { after_revision });
            let pages = ledger.watch_experiments(request).await?.into_inner();
            Ok(pages.map(|page| page.map(|page| (page.changes, page.head_revision))))
        };
        self.at(tenant, moment, head, open).await
    }
}

impl<P: Part> Past<P> {
    async fn at<S>(
        &self,
        tenant: &str,
        moment: Moment,
        head: i64,
        open: impl AsyncFnOnce(i64) -> Result<S, Status>,
    ) -> Result<Arc<P>, Status>
    where
        S: Stream<Item = Result<(Vec<ConfigurationChange>, i64), Status>> + Unpin,
    {
        let wanted = match moment {
            Moment::Revision(revision) => revision,
            Moment::Time(_) => head,
        };
        let earlier = match moment {
            Moment::Revision(revision) => self.up_to(tenant, revision),
            // An earlier reading may lie behind the instant already.
            Moment::Time(_) => None,
        };
        if let Some((revision, found)) = earlier.as_ref().filter(|(found, _)| *found == wanted) {
            return Ok(self.used(tenant, *revision, found.clone()));
        }
        let mut known = earlier.map(|(_, found)| (*found).clone()).unwrap_or_default();
        let mut pages = open(*known.revision()).await?;
        'reading: while *known.revision() < wanted {
            let why = "its log does not reach the revision that was asked for";
            let short = || serve::unavailable(P::SERVICE, &why);
            let page =
                tokio::time::timeout(PAGE_WAIT_MAX, pages.next()).await.map_err(|_| short())?;
            let (changes, head) = page.transpose()?.ok_or_else(short)?;
            for change in &changes {
                if !moment.holds(change) {
                    break 'reading;
                }
                known.apply(change);
                let revision = known.revision();
                *revision = change.revision.max(*revision);
            }
            // Revisions that touch nothing this service uses are in no page of their own.
            let revision = known.revision();
            *revision = head.min(wanted).max(*revision);
        }
        let revision = *known.revision();
        Ok(self.used(tenant, revision, Arc::new(known)))
    }

    /// The newest kept reading that is not newer than a revision.
    fn up_to(&self, tenant: &str, revision: i64) -> Option<(i64, Arc<P>)> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant =
            kept.iter().filter(|(owner, found, _)| owner == tenant && *found <= revision);
        let newest = of_tenant.max_by_key(|(_, found, _)| *found);
        newest.map(|(_, found, part)| (*found, part.clone()))
    }

    /// Moves it, or puts it, to the front.
    fn used(&self, tenant: &str, revision: i64, made: Arc<P>) -> Arc<P> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(owner, found, _)| owner != tenant || *found != revision);
        kept.push_front((tenant.to_owned(), revision, made.clone()));
        kept.truncate(KEPT_MAX);
        made
    }
}
