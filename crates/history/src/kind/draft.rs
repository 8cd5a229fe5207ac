//! A resource about to be written: checked, with the faults and warnings found so far.

use proffer_proto::{mask, resource::Stamp, values::v1::ResourceStatus};
use serve::Problem;
use tonic::Status;

use super::{ResourceKind, ServiceContext};
use crate::{Author, HistoryError, Names, Resolved, is_id};

/// Longest name, in characters.
const NAME_MAX: usize = 200;
/// Longest description, in characters.
const DESCRIPTION_MAX: usize = 2_000;
/// Most warnings of one answer.
const WARNINGS_MAX: usize = 50;

/// A resource about to be written.
#[derive(Debug)]
pub struct Draft<'a, C, R> {
    /// The service's context.
    pub context: &'a C,
    /// The tenant, who writes, and when.
    pub author: &'a Author,
    /// The resource as it will be.
    pub resource: R,
    /// The resource as it is; `None` when it is created.
    pub stored: Option<R>,
    faults: Vec<(String, String)>,
    pub(crate) warnings: Vec<String>,
    /// True when it is only checked.
    pub(crate) is_trial: bool,
}

impl<'a, C: ServiceContext, R: ResourceKind<C>> Draft<'a, C, R> {
    pub(crate) fn new(context: &'a C, author: &'a Author, resource: R, stored: Option<R>) -> Self {
        let (faults, warnings) = (Vec::new(), Vec::new());
        Self { context, author, resource, stored, faults, warnings, is_trial: false }
    }

    /// Whose resource it is.
    pub fn tenant(&self) -> &'a str {
        &self.author.tenant
    }

    /// Adds faults, by path within the resource.
    pub fn add_faults<P: Into<String>, M: Into<String>>(
        &mut self,
        faults: impl IntoIterator<Item = (P, M)>,
    ) {
        let whole = |(path, message): (P, M)| {
            let path: String = path.into();
            (format!("{}.{path}", R::KIND), message.into())
        };
        self.faults.extend(faults.into_iter().map(whole));
    }

    /// Adds warnings; they do not refuse the write.
    pub fn warn(&mut self, warnings: impl IntoIterator<Item = String>) {
        self.warnings.extend(warnings);
    }

    /// Resolves what `what` of the resource refers to, kind by kind, stores what that is bound to
    /// and warns of what is not there. What it meant before, it still means.
    pub async fn refer(
        &mut self,
        names: &Names,
        what: &str,
        wanted: Vec<(&'static str, String)>,
    ) -> Vec<Resolved> {
        let resolved = self.bind(names, wanted).await;
        self.warn(resolved.iter().filter_map(|found| found.warning(what)));
        resolved
    }

    /// The same without warnings, for kinds that warn in words of their own.
    pub async fn bind(
        &mut self,
        names: &Names,
        wanted: Vec<(&'static str, String)>,
    ) -> Vec<Resolved> {
        let before = self.stored.as_ref().map_or(&[][..], |stored| stored.references());
        let resolved = names.resolve(self.tenant(), wanted, before).await;
        if let Some(references) = self.resource.references_mut() {
            for Resolved { reference, .. } in &resolved {
                if !references.contains(reference) {
                    references.push(reference.clone());
                }
            }
        }
        resolved
    }

    /// Refuses the resource when there is a fault so far: for checks that need a valid one.
    pub fn refuse_faults(&mut self) -> Result<(), Status> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Problem::invalid_fields(std::mem::take(&mut self.faults)).into())
    }

    /// Checks what every kind has in common, then what the kind itself asks for.
    pub(crate) async fn check(&mut self) -> Result<(), Status> {
        self.check_name();
        self.settle_status();
        // Whatever the request says of them: they are resolved by `refer`.
        self.resource.references_mut().into_iter().for_each(Vec::clear);
        R::check(self).await?;
        self.refuse_faults()
    }

    fn check_name(&mut self) {
        let (name, description) = (self.resource.name(), self.resource.description());
        let (id, length) = (self.resource.id(), name.chars().count());
        let mut faults: Vec<(&str, String)> = Vec::new();
        if name.trim().is_empty() {
            faults.push(("name", "is required".to_owned()));
        } else if length > NAME_MAX {
            faults.push(("name", too_long(length, NAME_MAX)));
        }
        if name.chars().any(char::is_control) {
            faults.push(("name", "must not contain control characters".to_owned()));
        }
        let length = description.chars().count();
        if length > DESCRIPTION_MAX {
            faults.push(("description", too_long(length, DESCRIPTION_MAX)));
        }
        if description.contains('\0') {
            faults.push(("description", "must not contain a null character".to_owned()));
        }
        if !id.is_empty() && !is_id(id) {
            faults.push((R::IDENTITY, format!("`{id}` must match [a-z][a-z0-9_]{{0,62}}")));
        }
        self.add_faults(faults);
    }

    /// A resource written without a status is active; an unknown status is a fault.
    fn settle_status(&mut self) {
        let Some(status) = self.resource.status_mut() else { return };
        match ResourceStatus::try_from(*status) {
            Ok(ResourceStatus::Unspecified) => *status = ResourceStatus::Active.into(),
            Ok(_) => {}
            Err(_) => {
                self.add_faults([("status", "must be one of active, draft, paused, archived")]);
            }
        }
    }

    /// Takes the fields that the mask names from `patch`; all when it names none. An id never
    /// changes: another one than the resource's is refused.
    pub(crate) fn merge(&mut self, patch: &R, paths: &[String]) -> Result<(), HistoryError> {
        let id = self.resource.id().to_owned();
        if !patch.id().is_empty() && patch.id() != id {
            let path = format!("{}.{}", R::KIND, R::IDENTITY);
            let message = format!(
                "is `{}`, but the resource is `{id}`: it never changes; leave it out",
                patch.id().escape_debug()
            );
            return Err(HistoryError::Invalid(vec![(path, message)]));
        }
        self.resource = mask::apply(&self.resource, patch, paths).map_err(|unknown| {
            let message = format!("contains the unknown field `{}`", unknown.0);
            HistoryError::Invalid(vec![("update_mask".to_owned(), message)])
        })?;
        self.resource.stamp(Stamp { id, ..Stamp::default() });
        Ok(())
    }
}

fn too_long(length: usize, max: usize) -> String {
    format!("has {length} characters, which exceeds the maximum {max}")
}

/// The first [`WARNINGS_MAX`] warnings, the last of them a count of the others.
pub(crate) fn shortened(mut warnings: Vec<String>) -> Vec<String> {
    if warnings.len() > WARNINGS_MAX {
        let more = warnings.len() - (WARNINGS_MAX - 1);
        warnings.truncate(WARNINGS_MAX - 1);
        warnings.push(format!("and {more} more"));
    }
    warnings
}
