//! SQL of the list of a customer's contacts and reservations.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Select, Source};

use super::{
    Store,
    known::{self, CONTACT_COLUMNS, Wanted, contact_of},
};
use crate::domain::contact::Contact;

impl Store {
    /// A customer's contacts and reservations before the one of this id, from the newest when it is
    /// empty, and the instant at which their states are to be told.
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
        let sql = format!(
            "select {} from contact c where tenant_id = $1 and customer_id = $2
               and ($3 = '' or contact_id < $3)
             order by contact_id desc limit $4",
            self.database.dialect().array(CONTACT_COLUMNS)
        );
        let rows: Vec<(String,)> = Select::new(sql.as_str())
            .bind(tenant)
            .bind(customer_id)
            .bind(before)
            .bind(limit)
            .all(&self.database)
            .await?;
        let contacts = rows.iter().map(|(body,)| contact_of(body)).collect::<Result<_, _>>()?;
        Ok((contacts, known.ledger_at))
    }
}
