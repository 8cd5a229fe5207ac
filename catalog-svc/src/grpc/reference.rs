//! What one resource names another by: its id, or its name without regard to case and surrounding
//! space.

use history::{Collection, HistoryError, Resource};
use tonic::Status;

use super::status::refused;

/// True when somebody created a resource that `named` names.
pub async fn is_known<R: Resource>(
    collection: &Collection<R>,
    tenant: &str,
    named: &str,
) -> Result<bool, Status> {
    Ok(id_of(collection, tenant, named).await?.is_some())
}

/// Id of the resource that `named` names, an id before a name.
pub async fn id_of<R: Resource>(
    collection: &Collection<R>,
    tenant: &str,
    named: &str,
) -> Result<Option<String>, Status> {
    match collection.get(tenant, named).await {
        Ok(found) => Ok(Some(found.id().to_owned())),
        Err(HistoryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

/// True when both are one name.
pub fn is_same_name(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_any_case() {
        assert!(is_same_name(" Home HERO", "home hero"));
        assert!(!is_same_name("Home hero", "Homehero"));
    }
}
