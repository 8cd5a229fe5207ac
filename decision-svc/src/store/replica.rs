//! SQL of the processes that share the store, and how far each has settled.

use database::{DatabaseError, Dialect, Select, Statement, execute};

use super::Store;
use crate::domain::settled::Replica;

const BEAT: &str = "insert into replica (replica_id, settled_us, beat, tracks_decisions)
    values ($1, $2, $3, $4)
    on conflict (replica_id) do update set settled_us = excluded.settled_us, beat = excluded.beat";

const ALL: &str = "select replica_id, settled_us, beat, tracks_decisions from replica
    order by replica_id";

const REMOVE: &str = "delete from replica where replica_id = $1 and beat = $2";

const NEXT_TENANT: &str = "select tenant_id from customer where tenant_id > $1
    order by tenant_id limit 1";

pub(super) fn statements() -> Vec<Statement> {
    let tenants = "the relay tells experiment-svc of every tenant how far it is counted";
    vec![
        Statement::new("a process settled", BEAT),
        Statement::new("how far processes settled", ALL),
        Statement::new("a process that is gone", REMOVE),
        Statement::new("next tenant with customers", NEXT_TENANT).scan(tenants),
    ]
}

impl Store {
    /// Notes how far a process has settled.
    pub async fn settle(&self, replica: &Replica) -> Result<(), DatabaseError> {
        let mut transaction = self.database.begin().await?;
        execute!(
            &mut transaction,
            sqlx::query(BEAT)
                .bind(&replica.replica_id)
                .bind(replica.settled_us)
                .bind(replica.beat)
                .bind(replica.tracks_decisions)
        )?;
        transaction.commit().await
    }

    /// How far every process has settled.
    pub async fn replicas(&self) -> Result<Vec<Replica>, DatabaseError> {
        type Columns = (String, i64, i64, bool);
        let rows: Vec<Columns> = Select::new(ALL).brief().all(&self.database).await?;
        let replica = |(replica_id, settled_us, beat, tracks_decisions): Columns| Replica {
            replica_id,
            settled_us,
            beat,
            tracks_decisions,
        };
        Ok(rows.into_iter().map(replica).collect())
    }

    /// Removes processes that are gone, unless they have written since.
    pub async fn remove_replicas(&self, gone: &[Replica]) -> Result<(), DatabaseError> {
        if gone.is_empty() {
            return Ok(());
        }
        let mut transaction = self.database.begin().await?;
        for replica in gone {
            execute!(
                &mut transaction,
                sqlx::query(REMOVE).bind(&replica.replica_id).bind(replica.beat)
            )?;
        }
        transaction.commit().await
    }

    /// True where one process at most uses the store.
    pub fn is_exclusive(&self) -> bool {
        self.database.dialect() == Dialect::Sqlite
    }

    /// Tenants with customers, by name. Each is found by the key, however many customers they have.
    pub async fn tenants(&self) -> Result<Vec<String>, DatabaseError> {
        let mut tenants: Vec<String> = Vec::new();
        loop {
            let last = tenants.last().map_or("", String::as_str);
            let next = Select::new(NEXT_TENANT).bind(last).brief().optional(&self.database).await?;
            let Some((tenant,)): Option<(String,)> = next else { return Ok(tenants) };
            tenants.push(tenant);
        }
    }
}
