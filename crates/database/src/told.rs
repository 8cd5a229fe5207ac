//! Tells which statements SQLite's readers were asked, as sqlx tells its own: an event after each
//! statement, with its text and its time, without values.

use std::time::Instant;

/// Target of the events.
const TARGET: &str = "database::query";

/// A statement that is being executed; nothing when nobody listens.
#[derive(Debug)]
pub(crate) struct Told(Option<(String, Instant)>);

impl Told {
    /// The execution begins.
    pub fn begin(sql: &str) -> Self {
        let is_heard = tracing::enabled!(target: TARGET, tracing::Level::DEBUG);
        #[expect(clippy::disallowed_methods, reason = "elapsed time does not depend on the clock")]
        let statement = is_heard.then(|| (sql.to_owned(), Instant::now()));
        Self(statement)
    }

    /// It found so many rows.
    pub fn end(self, rows_returned: usize) {
        if let Some((text, since)) = self.0 {
            tracing::event!(
                target: TARGET,
                tracing::Level::DEBUG,
                statement = text.as_str(),
                rows_returned,
                elapsed_secs = since.elapsed().as_secs_f64(),
                "executed"
            );
        }
    }
}
