//! Collects the failures of work on many tenants, so that one failure does not stop the others.

use tonic::Status;

/// What goes wrong for one experiment or tenant, while the work goes on with the next.
#[derive(Debug, Default)]
pub struct Failures(Option<Status>);

impl Failures {
    /// Notes a failure; the value where there is none.
    pub fn note<T>(&mut self, of: &str, done: Result<T, Status>) -> Option<T> {
        match done {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::warn!(of, code = ?error.code(), error = error.message(), "upkeep failed");
                self.0.get_or_insert(error);
                None
            }
        }
    }

    /// The first failure.
    pub fn first(self) -> Result<(), Status> {
        self.0.map_or(Ok(()), Err)
    }
}
