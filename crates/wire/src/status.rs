//! The life cycle of a configuration resource.

use proffer_proto::values::v1::ResourceStatus;

/// True when a resource of this status takes part in decisions; a number that the contract does not
/// know is not active.
pub fn is_active(status: i32) -> bool {
    matches!(
        ResourceStatus::try_from(status),
        Ok(ResourceStatus::Active | ResourceStatus::Unspecified)
    )
}
