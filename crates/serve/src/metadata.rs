//! The gRPC metadata of calls. Reads tenant and actor, which the gateway sets; builds requests to
//! other services with tenant, call ids and deadline.

use tonic::{Request, Status, metadata::MetadataMap, metadata::MetadataValue};

use crate::{CALL_TIMEOUT, Call, Problem, call};

/// Metadata key of the tenant.
pub const TENANT: &str = "x-proffer-tenant";
/// Metadata key of the acting person or program.
pub const ACTOR: &str = "x-proffer-actor";
/// Key in the details of an error: how many rows of a broken-off file were kept.
pub const ROWS_KEPT: &str = "rows_kept";
/// The tenant of a process that runs without authentication.
pub const DEFAULT_TENANT: &str = "default";

/// The tenant of a call; `default` when it names none.
pub fn tenant(metadata: &MetadataMap) -> Result<String, Status> {
    let Some(value) = metadata.get(TENANT) else { return Ok(DEFAULT_TENANT.to_owned()) };
    let name = value.to_str().unwrap_or_default();
    if !is_tenant(name) {
        return Err(
            Problem::invalid_field(TENANT, "must be 1 to 63 of a-z, 0-9, `_` and `-`").into()
        );
    }
    Ok(name.to_owned())
}

/// True for the name of a tenant: 1 to 63 of a-z, 0-9, `_` and `-`.
pub(crate) fn is_tenant(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    !name.is_empty() && name.len() <= 63 && name.chars().all(fits)
}

/// The actor of a call; `anonymous` when it names none.
pub fn actor(metadata: &MetadataMap) -> String {
    let named = metadata.get(ACTOR).and_then(|value| value.to_str().ok());
    named.unwrap_or("anonymous").chars().take(128).collect()
}

/// A request to another service on behalf of `tenant`, with the ids of the current call and at most
/// what is left of its time.
pub fn request<T>(tenant: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Ok(value) = MetadataValue::try_from(tenant) {
        request.metadata_mut().insert(TENANT, value);
    }
    call::label_metadata(request.metadata_mut());
    let left = Call::current().and_then(|call| call.time_left());
    request.set_timeout(left.map_or(CALL_TIMEOUT, |left| left.min(CALL_TIMEOUT)));
    request
}

/// A request with the full time of a call, for what must be done although the time of the caller is
/// over.
pub fn with_full_time<T>(mut request: Request<T>) -> Request<T> {
    request.set_timeout(CALL_TIMEOUT);
    request
}
