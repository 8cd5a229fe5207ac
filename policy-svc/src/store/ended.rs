//! SQL that counts reservations that ended, by minute and by what they were about.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Select};

use super::Store;
use crate::domain::{facts::Subject, lapse::Ended, question::Candidate};

/// What a count is about.
const ABOUT: &str =
    "c.offer_id, c.category, c.category_id, c.subcategory, c.channel_id, c.channel_name";
const MINUTE_US: i64 = 60_000_000;

/// A reservation lapses when nothing ended it before its end. A contact that was reported after
/// that is marked unreserved and does not undo it.
const LAPSED: (&str, &str) = (
    "reserved_until_us",
    "(c.state in ('reserved', 'expired') or (c.state = 'committed' and c.unreserved))",
);
const COMMITTED: (&str, &str) = ("committed_us", "c.state = 'committed' and not c.unreserved");

/// Counts by minute of an instant, for rows in some states.
fn counted((instant, states): (&str, &str)) -> String {
    format!(
        "select c.{instant} / {MINUTE_US}, {ABOUT}, count(*) from contact c
         where c.tenant_id = $1 and c.cost >= 0 and c.{instant} > $2 and c.{instant} <= $3
           and {states}
         group by c.{instant} / {MINUTE_US}, {ABOUT}"
    )
}

/// Both texts, with names.
pub(super) fn statements() -> [(&'static str, String); 2] {
    [("lapsed reservations", counted(LAPSED)), ("committed reservations", counted(COMMITTED))]
}

/// A minute, what it is about, and a count.
type Row = (i64, String, String, String, String, String, String, i64);

impl Store {
    /// Reservations of a tenant that ended after the first instant and up to the second, each with
    /// its minute since 1970.
    pub async fn ended(
        &self,
        tenant: &str,
        (after, until): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<(i64, Ended)>, DatabaseError> {
        let mut ended = Vec::new();
        for (which, is_lapsed) in [(LAPSED, true), (COMMITTED, false)] {
            let select = Select::new(counted(which)).bind(tenant);
            let select = select.bind(after.timestamp_micros()).bind(until.timestamp_micros());
            let rows: Vec<Row> = select.all(&self.database).await?;
            ended.extend(rows.into_iter().map(|row| of_row(row, is_lapsed)));
        }
        Ok(ended)
    }
}

fn of_row(row: Row, is_lapsed: bool) -> (i64, Ended) {
    let (minute, offer_id, category, category_id, subcategory, channel_id, channel, count) = row;
    let offer = Candidate { offer_id, category, category_id, subcategory, ..Default::default() };
    let subject = Subject::new(&offer, &channel_id, &channel);
    let (lapsed, committed) = if is_lapsed { (count, 0) } else { (0, count) };
    (minute, Ended { subject, lapsed, committed })
}

/// The minute of an instant, as the statements count it.
pub fn minute_of(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros() / MINUTE_US
}
