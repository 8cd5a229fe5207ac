//! Whether a store answers.

use tokio::sync::watch;

use crate::{Database, measure::StoreName};

/// Whether the server of a store answers. A file always does.
#[derive(Clone, Debug)]
pub struct Presence(watch::Receiver<bool>);

impl Presence {
    /// True when it answers.
    pub fn is_here(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once that has changed since this value last waited; never for a file.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Database {
    /// Its name in metrics.
    pub(crate) fn name(&self) -> StoreName {
        match self {
            Self::Sqlite { readers, .. } => readers.name(),
            Self::Postgres(link) => link.name(),
        }
    }

    /// Whether the store answers, from now on.
    pub fn presence(&self) -> Presence {
        Presence(match self {
            Self::Sqlite { .. } => watch::channel(true).1,
            Self::Postgres(link) => link.follow(),
        })
    }
}
