//! SQL that deletes old contacts and outcomes: the keys of some, then each by its key.

use database::{DatabaseError, Select, Statement, delete_each};
use serve::BATCH_MAX;

use super::Store;

/// Contacts, by the index of those that count.
const OLD_COMMITTED: &str = "select customer_id, contact_id from contact
    where tenant_id = $1 and state = 'committed' and cost >= 0 and committed_us < $2
    order by committed_us limit $3 + 0";
/// Reservations that came to nothing, by the index of reservations.
const OLD_RESERVED: &str = "select customer_id, contact_id from contact
    where tenant_id = $1 and reserved_until_us is not null and cost >= 0
      and reserved_until_us < $2 and committed_us is null
    order by reserved_until_us limit $3 + 0";
/// One of them, unless it has been reported since.
const DELETE_CONTACT: &str = "delete from contact
    where tenant_id = $1 and customer_id = $2 and contact_id = $3
      and (committed_us is null or committed_us < $4)";

const OLD_OUTCOMES: &str = "select customer_id, customer_seq from outcome
    where tenant_id = $1 and occurred_us < $2 and key <> $3 limit $4 + 0";
const DELETE_OUTCOME: &str = "delete from outcome
    where tenant_id = $1 and customer_id = $2 and customer_seq = $3 and occurred_us < $4";

pub(super) fn statements() -> Vec<Statement> {
    let why = "retention looks for old rows of all customers";
    vec![
        Statement::new("old contacts", OLD_COMMITTED).scan(why),
        Statement::new("old reservations", OLD_RESERVED).scan(why),
        Statement::new("delete a contact", DELETE_CONTACT),
        Statement::new("old outcomes", OLD_OUTCOMES).scan(why),
        Statement::new("delete an outcome", DELETE_OUTCOME),
    ]
}

impl Store {
    /// Deletes some contacts of a tenant that were committed before `before_us`; returns how many.
    pub async fn delete_contacts(
        &self,
        tenant: &str,
        before_us: i64,
    ) -> Result<u64, DatabaseError> {
        self.delete_contacts_in(OLD_COMMITTED, tenant, before_us).await
    }

    /// Deletes some reservations of a tenant that ended before `before_us` without a contact;
    /// returns how many.
    pub async fn delete_reservations(
        &self,
        tenant: &str,
        before_us: i64,
    ) -> Result<u64, DatabaseError> {
        self.delete_contacts_in(OLD_RESERVED, tenant, before_us).await
    }

    async fn delete_contacts_in(
        &self,
        old: &'static str,
        tenant: &str,
        before_us: i64,
    ) -> Result<u64, DatabaseError> {
        let select = Select::new(old).bind(tenant).bind(before_us).bind(i64::from(BATCH_MAX));
        let keys: Vec<(String, String)> = select.all(&self.database).await?;
        delete_each!(self.database, keys, (customer_id, contact_id) => {
            sqlx::query(DELETE_CONTACT)
                .bind(tenant)
                .bind(customer_id)
                .bind(contact_id)
                .bind(before_us)
        })
    }

    /// Deletes some outcomes of a tenant that happened before `before_us`, but none of the type
    /// `kept`; returns how many.
    pub async fn delete_outcomes(
        &self,
        tenant: &str,
        before_us: i64,
        kept: &str,
    ) -> Result<u64, DatabaseError> {
        let select = Select::new(OLD_OUTCOMES).bind(tenant).bind(before_us).bind(kept);
        let select = select.bind(i64::from(BATCH_MAX));
        let keys: Vec<(String, i64)> = select.all(&self.database).await?;
        delete_each!(self.database, keys, (customer_id, customer_seq) => {
            sqlx::query(DELETE_OUTCOME)
                .bind(tenant)
                .bind(customer_id)
                .bind(customer_seq)
                .bind(before_us)
        })
    }
}
