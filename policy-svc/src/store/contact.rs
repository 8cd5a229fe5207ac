//! SQL of the list of a customer's contacts and reservations.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Dialect, Select, Source};

use super::{
    Store,
    known::{self, Wanted},
    row,
};
use crate::domain::contact::Contact;

/// Newest first; ids sort by time.
pub(super) fn newest(dialect: Dialect) -> String {
    format!(
        "select {} from contact c where c.tenant_id = $1 and c.customer_id = $2
           and ($3 = '' or c.contact_id < $3)
         order by c.contact_id desc limit $4 + 0",
        dialect.array(row::CONTACT)
    )
}

impl Store {
    /// A customer's contacts and reservations before the one of this id, from the newest when it is
    /// empty, and the ledger instant, at which their states are shown.
    pub async fn contacts(
        &self,
        tenant: &str,
        customer_id: &str,
        before: &str,
        limit: i64,
    ) -> Result<(Vec<Contact>, DateTime<Utc>), DatabaseError> {
        let wanted =
            Wanted { tenant: tenant.into(), customer_id: customer_id.into(), ..Wanted::default() };
        let known = known::one(&mut Source::Outside(&self.database), &wanted, &self.clock).await?;
        let rows: Vec<(String,)> = Select::new(newest(self.database.dialect()))
            .bind(tenant)
            .bind(customer_id)
            .bind(before)
            .bind(limit)
            .all(&self.database)
            .await?;
        let contacts = rows.iter().map(|(row,)| row::contact(row)).collect::<Result<_, _>>()?;
        Ok((contacts, known.ledger_at))
    }
}
