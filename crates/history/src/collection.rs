//! One kind of resource in the log, typed by its proto message.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use database::Transaction;
use proffer_proto::{mask, resource::Stamp};
use prost_types::Timestamp;
use serve::{Clock, metadata};
use tonic::{Status, metadata::MetadataMap};

pub use proffer_proto::resource::Resource;
use proffer_proto::values::v1::ResourceStatus;

use crate::{AsOf, Change, History, HistoryError, IdChoice, Present, Write, is_id};

/// Longest name, in characters.
pub const NAME_MAX: usize = 200;
/// Longest description, in characters.
pub const DESCRIPTION_MAX: usize = 2_000;
/// Largest and default page.
pub const PAGE_MAX: i32 = 1_000;
/// Page size when none is asked for.
pub const PAGE_DEFAULT: i32 = 100;

/// Whose log, who writes, when.
#[derive(Clone, Debug)]
pub struct Author {
    /// Whose log.
    pub tenant: String,
    /// Who writes.
    pub actor: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Author {
    /// The author of a call.
    pub fn of(metadata: &MetadataMap, clock: &Clock) -> Result<Self, Status> {
        Ok(Self {
            tenant: metadata::tenant(metadata)?,
            actor: metadata::actor(metadata),
            at: clock.now(),
        })
    }
}

/// A resource about to be written over `etag`.
#[derive(Clone, Debug)]
pub struct Draft<R> {
    /// The resource as it shall be.
    pub resource: R,
    /// The resource as it is.
    pub stored: R,
    id: String,
    etag: String,
}

/// Some resources and the token of the next page; empty at the end.
#[derive(Clone, Debug)]
pub struct Page<R> {
    /// By id.
    pub items: Vec<R>,
    /// Token of the next page.
    pub next: String,
}

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

    /// Faults every kind can have: id, name, description. Paths start with the kind.
    pub fn common_faults(resource: &R) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault =
            |field: &str, message: String| faults.push((format!("{}.{field}", R::KIND), message));
        let name = resource.name();
        if name.trim().is_empty() {
            fault("name", "is required".to_owned());
        } else if name.chars().count() > NAME_MAX {
            fault(
                "name",
                format!(
                    "has {} characters, which exceeds the maximum {NAME_MAX}",
                    name.chars().count()
                ),
            );
        }
        if name.chars().any(char::is_control) {
            fault("name", "must not hold control characters".to_owned());
        }
        let length = resource.description().chars().count();
        if length > DESCRIPTION_MAX {
            fault(
                "description",
                format!("has {length} characters, which exceeds the maximum {DESCRIPTION_MAX}"),
            );
        }
        if resource.description().contains('\0') {
            fault("description", "must not hold a null character".to_owned());
        }
        if !resource.id().is_empty() && !is_id(resource.id()) {
            fault(R::IDENTITY, format!("`{}` must match [a-z][a-z0-9_]{{0,62}}", resource.id()));
        }
        faults
    }

    /// Writes a new resource. The caller has checked it.
    pub async fn create(&self, author: &Author, resource: R) -> Result<R, HistoryError> {
        self.write(author, creation(&resource)).await.map_err(named_identity::<R>)
    }

    /// Writes a new resource as part of `transaction`, see [`History::write_in`].
    pub async fn create_in(
        &self,
        transaction: &mut Transaction,
        author: &Author,
        resource: R,
    ) -> Result<R, HistoryError> {
        self.write_in(transaction, author, creation(&resource)).await.map_err(named_identity::<R>)
    }

    /// Brings a deleted resource back under its own id. The caller has checked that it may.
    pub async fn revive(&self, author: &Author, resource: R) -> Result<R, HistoryError> {
        let (id, name, payload) =
            (resource.id().to_owned(), resource.name().to_owned(), payload(&resource));
        self.write(author, Write::Revive { id, name, payload }).await.map_err(named_identity::<R>)
    }

    /// The resource of this id or name.
    pub async fn get(&self, tenant: &str, named: &str) -> Result<R, HistoryError> {
        Ok(read(&self.history.find(tenant, R::KIND, named).await?))
    }

    /// A page of resources by id.
    pub async fn list(
        &self,
        tenant: &str,
        page_size: i32,
        page_token: &str,
    ) -> Result<Page<R>, HistoryError> {
        let (size, after) = page(page_size, page_token).map_err(HistoryError::Invalid)?;
        let found = self.history.list(tenant, R::KIND, &after, i64::from(size) + 1).await?;
        let items: Vec<R> = found.iter().take(size as usize).map(read).collect();
        let next = match items.last() {
            Some(last) if found.len() > items.len() => token(last.id()),
            _ => String::new(),
        };
        Ok(Page { items, next })
    }

    /// Every resource, by id.
    pub async fn all(&self, tenant: &str) -> Result<Vec<R>, HistoryError> {
        let found = self.history.list(tenant, R::KIND, "", i64::MAX).await?;
        Ok(found.iter().map(read).collect())
    }

    /// Every resource as it was at a moment, by id.
    pub async fn all_as_of(&self, tenant: &str, moment: AsOf) -> Result<Vec<R>, HistoryError> {
        let found = self.history.all_as_of(tenant, R::KIND, moment).await?;
        Ok(found.iter().map(read).collect())
    }

    /// The resource of this id as it was at a moment; none when it did not exist then.
    pub async fn get_as_of(
        &self,
        tenant: &str,
        id: &str,
        moment: AsOf,
    ) -> Result<Option<R>, HistoryError> {
        let found = self.history.as_of(tenant, R::KIND, id, moment).await?;
        Ok(found.and_then(Present::of).as_ref().map(read))
    }

    /// The resource as it would be after `patch`; to be checked and handed to [`Self::update`].
    pub async fn merge(
        &self,
        tenant: &str,
        named: &str,
        patch: R,
        paths: &[String],
    ) -> Result<Draft<R>, HistoryError> {
        let stored = self.history.find(tenant, R::KIND, named).await?;
        let given = patch.etag();
        if !given.is_empty() && given != stored.etag {
            let (kind, id, current) = (R::KIND, stored.id, stored.etag);
            return Err(HistoryError::StaleEtag { kind, id, current });
        }
        let before: R = read(&stored);
        let mut resource = mask::apply(&before, &patch, paths).map_err(|unknown| {
            HistoryError::Invalid(vec![(
                "update_mask".to_owned(),
                format!("names the unknown field `{}`", unknown.0),
            )])
        })?;
        resource.stamp(Stamp { id: stored.id.clone(), ..Stamp::default() });
        Ok(Draft { resource, stored: before, id: stored.id, etag: stored.etag })
    }

    /// Writes a merged resource, unless somebody else wrote in between.
    pub async fn update(&self, author: &Author, draft: Draft<R>) -> Result<R, HistoryError> {
        self.write(author, draft.into_write()).await
    }

    /// Writes a merged resource as part of `transaction`, see [`History::write_in`].
    pub async fn update_in(
        &self,
        transaction: &mut Transaction,
        author: &Author,
        draft: Draft<R>,
    ) -> Result<R, HistoryError> {
        self.write_in(transaction, author, draft.into_write()).await
    }

    /// Deletes the resource of this id or name.
    pub async fn delete(
        &self,
        author: &Author,
        named: &str,
        etag: &str,
    ) -> Result<(), HistoryError> {
        let stored = self.history.find(&author.tenant, R::KIND, named).await?;
        let expected = (!etag.is_empty()).then(|| etag.to_owned());
        self.write(author, Write::Delete { id: stored.id, expected }).await.map(drop)
    }

    async fn write(&self, author: &Author, write: Write) -> Result<R, HistoryError> {
        Ok(read(&self.history.write(change::<R>(author, write)).await?))
    }

    async fn write_in(
        &self,
        transaction: &mut Transaction,
        author: &Author,
        write: Write,
    ) -> Result<R, HistoryError> {
        Ok(read(&self.history.write_in(transaction, change::<R>(author, write)).await?))
    }
}

/// What was created without a status is active; a status nobody knows is a fault.
pub fn settle_status(kind: &str, status: &mut i32, faults: &mut Vec<(String, String)>) {
    match ResourceStatus::try_from(*status) {
        Ok(ResourceStatus::Unspecified) => *status = ResourceStatus::Active.into(),
        Ok(_) => {}
        Err(_) => faults.push((
            format!("{kind}.status"),
            "must be one of active, draft, paused, archived".to_owned(),
        )),
    }
}

impl<R: Resource> Draft<R> {
    fn into_write(self) -> Write {
        let (name, payload) = (self.resource.name().to_owned(), payload(&self.resource));
        Write::Update { id: self.id, name, payload, expected: Some(self.etag) }
    }
}

fn creation<R: Resource>(resource: &R) -> Write {
    let id = match resource.id() {
        "" => IdChoice::FromName { prefix: R::PREFIX },
        given => IdChoice::Given(given.to_owned()),
    };
    Write::Create { id, name: resource.name().to_owned(), payload: payload(resource) }
}

fn change<R: Resource>(author: &Author, write: Write) -> Change<'_> {
    Change { tenant: &author.tenant, actor: &author.actor, at: author.at, kind: R::KIND, write }
}

/// Page size and the key to go on after, from a request's two fields; faults by field.
pub fn page(page_size: i32, page_token: &str) -> Result<(i32, String), Vec<(String, String)>> {
    let size = match page_size {
        0 => PAGE_DEFAULT,
        1..=PAGE_MAX => page_size,
        _ => {
            return Err(vec![(
                "page_size".to_owned(),
                format!("is {page_size}; it must be 1 to {PAGE_MAX}"),
            )]);
        }
    };
    let after = hex::decode(page_token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match after {
        Some(after) if !after.contains('\0') => Ok((size, after)),
        _ => Err(vec![("page_token".to_owned(), "is not a token of an earlier page".to_owned())]),
    }
}

/// The token of the page after `last`.
pub fn token(last: &str) -> String {
    hex::encode(last)
}

/// A taken id is called by the kind's own word for it.
fn named_identity<R: Resource>(error: HistoryError) -> HistoryError {
    match error {
        HistoryError::AlreadyExists { kind, attribute: "id", value } => {
            HistoryError::AlreadyExists { kind, attribute: R::IDENTITY, value }
        }
        other => other,
    }
}

fn payload<R: Resource>(resource: &R) -> Vec<u8> {
    let mut stripped = resource.clone();
    stripped.stamp(Stamp::default());
    stripped.encode_to_vec()
}

fn read<R: Resource>(present: &Present) -> R {
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
