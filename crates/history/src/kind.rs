//! What a service says about one of its kinds of resource; everything else about a resource is
//! written once, in [`crate::crud`].

pub(crate) mod draft;

use std::future::{Future, ready};

use database::Transaction;
use serve::Clock;
use tonic::Status;

pub use self::draft::Draft;
use crate::{Author, Collection, History, Resource};

/// What a service works with, as far as its resources need it.
pub trait ServiceContext: Send + Sync {
    /// The log the resources are in.
    fn history(&self) -> &History;
    /// Where instants come from.
    fn clock(&self) -> &Clock;
    /// The resources of a kind.
    fn stored<R: Resource>(&self) -> Collection<R> {
        Collection::new(self.history().clone())
    }
}

/// One kind of resource, kept by the service with this context.
pub trait ResourceKind<C: ServiceContext>: Resource {
    /// Resources of this kind that a tenant may have; unlimited when `None`.
    fn count_max(_context: &C) -> Option<usize> {
        None
    }

    /// Fills in what was left out and adds faults and warnings. Id, name, description and status
    /// are checked before. The resource is refused when there is a fault.
    fn check(draft: &mut Draft<'_, C, Self>) -> impl Future<Output = Result<(), Status>> + Send;

    /// Writes what belongs to the resource in other tables, in the transaction that writes the
    /// resource. An error undoes both. By now the tenant's log is locked.
    fn write_beside(
        _transaction: &mut Transaction,
        _author: &Author,
        _before: Option<&Self>,
        _after: &Self,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        ready(Ok(()))
    }

    /// Refuses to delete a resource whose state does not allow it. A delete is never refused for
    /// what others need of it: it names them, and each is a refused candidate until it is repaired.
    fn check_delete(_stored: &Self) -> Result<(), Status> {
        Ok(())
    }

    /// Fills in what is output only and not stored, before a resource is read by a caller.
    fn show(
        _context: &C,
        _tenant: &str,
        _found: &mut Self,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        ready(Ok(()))
    }

    /// What of the same service uses `stored` and loses it when it is deleted, one sentence each.
    fn losses(
        _context: &C,
        _tenant: &str,
        _stored: &Self,
    ) -> impl Future<Output = Result<Vec<String>, Status>> + Send {
        ready(Ok(Vec::new()))
    }

    /// Resources that every tenant has and nobody changes, in the order of lists.
    fn built_in() -> Vec<Self> {
        Vec::new()
    }

    /// What exists before the first write, for a kind of which each tenant has exactly one. Its
    /// update creates it.
    fn initial() -> Option<Self> {
        None
    }

    /// True when a deleted resource may come back as `again` under its own id, for kinds whose id
    /// is a word people choose.
    fn may_revive(_deleted: &Self, _again: &Self) -> bool {
        false
    }
}
