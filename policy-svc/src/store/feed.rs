//! SQL of the feed: every contact that happened has a position among those of its tenant.
//!
//! Contacts are committed concurrently, so a number drawn at the commit would not do: a reader that
//! has seen 8 would miss a 7 that commits later. Positions are given afterwards, under the lock of
//! the tenant's feed, to contacts that are committed. Position 7 is committed before the lock is
//! free for 8, or together with it. So a reader sees every contact up to some position, whatever
//! the order of commits and whichever process gives the positions.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Dialect, Select, Source, Statement, execute, within};

use super::{Store, row};
use crate::domain::contact::Contact;

/// Contacts that get their positions in one transaction, and contacts that are read at once.
pub const PAGE: usize = 500;

const UNFED: &str = "select customer_id, contact_id from contact
    where tenant_id = $1 and state = 'committed' and cost >= 0 and feed_position is null
    order by customer_id, contact_id limit $2 + 0";

const NEW: &str = "insert into contact_feed (tenant_id, position) values ($1, 0)
    on conflict (tenant_id) do nothing";
const LAST: &str = "select position from contact_feed where tenant_id = $1";
const ADVANCE: &str = "update contact_feed set position = $2 where tenant_id = $1";

const FEED: &str = "update contact set feed_position = $4
    where tenant_id = $1 and customer_id = $2 and contact_id = $3 and feed_position is null";

fn fed(dialect: Dialect) -> String {
    format!(
        "select c.customer_id, c.feed_position, {} from contact c
         where c.tenant_id = $1 and c.state = 'committed' and c.cost >= 0 and c.feed_position > $2
         order by c.feed_position limit $3 + 0",
        dialect.array(row::CONTACT)
    )
}

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    let why = "the feed is about the contacts of all customers";
    vec![
        Statement::new("contacts without a position", UNFED).scan(why),
        Statement::new("new feed", NEW),
        Statement::new("lock of a feed", dialect.locking(LAST)),
        Statement::new("last position", ADVANCE),
        Statement::new("position of a contact", FEED),
        Statement::new("contacts by position", fed(dialect)).scan(why),
    ]
}

/// A contact in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fed {
    /// The customer.
    pub customer_id: String,
    /// Its position.
    pub position: i64,
    /// When it happened.
    pub happened_at: DateTime<Utc>,
    /// The contact.
    pub contact: Contact,
}

impl Store {
    /// Gives positions to some contacts of a tenant that have none; returns how many.
    pub async fn feed(&self, tenant: &str) -> Result<usize, DatabaseError> {
        // Without new contacts nothing is locked.
        if unfed(&mut Source::Outside(&self.database), tenant).await?.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.database.begin().await?;
        execute!(&mut transaction, sqlx::query(NEW).bind(tenant))?;
        let locking = transaction.locking(LAST);
        let (last,): (i64,) = within!(&mut transaction, connection =>
            sqlx::query_as(locking).bind(tenant).fetch_one(connection))?;
        // Read again: another process may have held the lock.
        let keys = unfed(&mut Source::Within(&mut transaction), tenant).await?;
        let mut position = last;
        for (customer_id, contact_id) in &keys {
            let fed = execute!(
                &mut transaction,
                sqlx::query(FEED)
                    .bind(tenant)
                    .bind(customer_id)
                    .bind(contact_id)
                    .bind(position + 1)
            )?;
            position += i64::from(fed.rows > 0);
        }
        execute!(&mut transaction, sqlx::query(ADVANCE).bind(tenant).bind(position))?;
        transaction.commit().await?;
        Ok(keys.len())
    }

    /// Contacts of a tenant after a position, at most [`PAGE`].
    pub async fn fed(&self, tenant: &str, after: i64) -> Result<Vec<Fed>, DatabaseError> {
        let rows: Vec<(String, i64, String)> = Select::new(fed(self.database.dialect()))
            .bind(tenant)
            .bind(after)
            .bind(PAGE as i64)
            .all(&self.database)
            .await?;
        let entry = |(customer_id, position, row): (String, i64, String)| {
            let contact = row::contact(&row)?;
            let unknown = || DatabaseError::Corrupt(format!("no instant of {position}"));
            let happened_at = contact.committed_at.ok_or_else(unknown)?;
            Ok(Fed { customer_id, position, happened_at, contact })
        };
        rows.into_iter().map(entry).collect()
    }
}

async fn unfed(
    source: &mut Source<'_>,
    tenant: &str,
) -> Result<Vec<(String, String)>, DatabaseError> {
    Select::new(UNFED).bind(tenant).bind(PAGE as i64).all(source).await
}
