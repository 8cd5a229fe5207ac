//! One kind of resource in the log, typed by its proto message: reads, now and in the past.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use proffer_proto::resource::Stamp;
use prost_types::Timestamp;

pub use proffer_proto::resource::Resource;

use crate::{AsOf, History, HistoryError, Present, page::PAGE_BYTES_MAX};

/// One kind of resource. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Collection<R> {
    history: History,
    kind: PhantomData<fn() -> R>,
}

impl<R: Resource> Collection<R> {
    /// The resources of kind `R` in `history`.
    pub fn new(history: History) -> Self {
        Self { history, kind: PhantomData }
    }

    /// The resource of this id or name; the error names a near one.
    pub async fn get(&self, tenant: &str, named: &str) -> Result<R, HistoryError> {
        Ok(read(&self.history.named(tenant, R::KIND, named).await?))
    }

    /// The resource of this id or name, if there is one.
    pub async fn find(&self, tenant: &str, named: &str) -> Result<Option<R>, HistoryError> {
        match self.history.find(tenant, R::KIND, named).await {
            Ok(found) => Ok(Some(read(&found))),
            Err(HistoryError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Resources with ids after `after`, by id, and whether there are more: at most `count`, fewer
    /// when they are large.
    pub async fn page(
        &self,
        tenant: &str,
        after: &str,
        count: usize,
    ) -> Result<(Vec<R>, bool), HistoryError> {
        let bytes_max = i64::try_from(PAGE_BYTES_MAX).unwrap_or(i64::MAX);
        let (found, has_more) = self.history.page(tenant, R::KIND, after, count, bytes_max).await?;
        Ok((found.iter().map(read).collect(), has_more))
    }

    /// Every resource, by id.
    pub async fn all(&self, tenant: &str) -> Result<Vec<R>, HistoryError> {
        Ok(self.history.all(tenant, R::KIND).await?.iter().map(read).collect())
    }

    /// Every resource as it was at a moment, by id.
    pub async fn all_as_of(&self, tenant: &str, moment: AsOf) -> Result<Vec<R>, HistoryError> {
        let found = self.history.all_as_of(tenant, R::KIND, moment).await?;
        Ok(found.iter().map(read).collect())
    }

    /// The resource of this id as it was at a moment; none when it did not exist at that moment.
    pub async fn get_as_of(
        &self,
        tenant: &str,
        id: &str,
        moment: AsOf,
    ) -> Result<Option<R>, HistoryError> {
        let found = self.history.as_of(tenant, R::KIND, id, moment).await?;
        Ok(found.and_then(Present::of).as_ref().map(read))
    }
}

/// The bytes of a resource in the log: without what the log itself knows of it.
pub(crate) fn payload<R: Resource>(resource: &R) -> Vec<u8> {
    let mut stripped = resource.clone();
    stripped.stamp(Stamp::default());
    stripped.encode_to_vec()
}

/// A resource as it is stored, with its id, revision, etag and times.
pub(crate) fn read<R: Resource>(present: &Present) -> R {
    // INVARIANT: payloads are written by `payload` above; an unreadable one reads as empty, never
    // as a guess.
    let mut resource = R::decode(present.payload.as_slice()).unwrap_or_default();
    resource.stamp(Stamp {
        id: present.id.clone(),
        revision: present.revision,
        etag: present.etag.clone(),
        created_at: Some(timestamp(present.created_at)),
        updated_at: Some(timestamp(present.updated_at)),
    });
    resource
}

/// An instant as proto carries it.
pub fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: at.timestamp(), nanos: at.timestamp_subsec_nanos() as i32 }
}
