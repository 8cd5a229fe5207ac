//! Contacts and reservations as they are listed.

use chrono::{DateTime, Utc};
use database::{DatabaseError, read};
use sqlx::AssertSqlSafe;

use super::{
    Source, Store,
    known::{self, CONTACT_COLUMNS, Wanted, contact_of},
};
use crate::domain::contact::Contact;

impl Store {
    /// A customer's contacts and reservations before (`created_us`, `contact_id`), newest first, and the instant at
    /// which their states are to be told.
    pub async fn contacts(
        &self,
        tenant: &str,
        customer_id: &str,
        before: (i64, &str),
        limit: i64,
    ) -> Result<(Vec<Contact>, DateTime<Utc>), DatabaseError> {
        let wanted = Wanted { tenant: tenant.into(), customer_id: customer_id.into(), ..Wanted::default() };
        let known = known::one(&mut Source::Outside(&self.database), &wanted, &self.clock).await?;
        let sql = format!(
            "select {} from contact c where tenant_id = $1 and customer_id = $2
               and (created_us < $3 or (created_us = $3 and contact_id < $4))
             order by created_us desc, contact_id desc limit $5",
            self.database.dialect().array(CONTACT_COLUMNS)
        );
        let rows: Vec<(String,)> = read!(&self.database, pool => sqlx::query_as(AssertSqlSafe(sql.as_str()))
            .bind(tenant).bind(customer_id).bind(before.0).bind(before.1).bind(limit).fetch_all(pool))?;
        let contacts = rows.iter().map(|(body,)| contact_of(body)).collect::<Result<_, _>>()?;
        Ok((contacts, known.ledger_at))
    }
}
