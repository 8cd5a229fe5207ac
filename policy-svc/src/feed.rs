//! Follows the contacts of a tenant for a service that counts them.

use std::time::Duration;

use database::DatabaseError;
use futures::{Stream, stream};

use crate::store::{Fed, Store};

/// How often the contacts are looked at for new ones; each look is a sign of life.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Where a follower is.
struct Place {
    store: Store,
    tenant: String,
    position: i64,
    /// There may be more contacts than the last page had.
    has_more: bool,
}

/// The contacts of a tenant after a position, then every new one; never ends by itself. The first
/// page comes at once, and then one each second, without contacts when there are no new ones. Each
/// comes with the position that it reaches.
pub fn watch(
    store: Store,
    tenant: String,
    after: i64,
) -> impl Stream<Item = Result<(Vec<Fed>, i64), DatabaseError>> + Send + 'static {
    let place = Place { store, tenant, position: after, has_more: true };
    stream::try_unfold(place, |mut place| async move {
        if !place.has_more {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        let given = place.store.feed(&place.tenant).await?;
        let contacts = place.store.fed(&place.tenant, place.position).await?;
        place.position = contacts.last().map_or(place.position, |last| last.position);
        place.has_more = given > 0 || !contacts.is_empty();
        let position = place.position;
        Ok(Some(((contacts, position), place)))
    })
}
