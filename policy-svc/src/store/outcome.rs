//! Outcomes as facts.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use database::{DatabaseError, Transaction, execute};
use serve::from_micros;
use sqlx::AssertSqlSafe;

use super::{Source, fetch, placeholders};
use crate::domain::{
    facts::{OutcomeFact, Subject},
    ledger::OutcomeRecord,
    question::Candidate,
};

/// Outcomes read for one judgement, newest first.
pub const OUTCOMES_MAX: usize = 10_000;

#[derive(sqlx::FromRow)]
struct OutcomeRow {
    key: String,
    offer_id: String,
    category: String,
    category_id: String,
    subcategory: String,
    channel_id: String,
    channel_name: String,
    occurred_us: i64,
}

fn fact(row: OutcomeRow) -> OutcomeFact {
    let (category, category_id, subcategory) = (row.category, row.category_id, row.subcategory);
    let offer = Candidate { offer_id: row.offer_id, category, category_id, subcategory, ..Default::default() };
    let subject = Subject::new(&offer, &row.channel_id, &row.channel_name);
    OutcomeFact { key: row.key, at: from_micros(row.occurred_us), subject }
}

/// Outcomes of some keys in (after, until]; true when there are more than [`OUTCOMES_MAX`].
pub(super) async fn read_all(
    source: &mut Source<'_>,
    tenant: &str,
    customer_id: &str,
    keys: &BTreeSet<&str>,
    after: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
) -> Result<(Vec<OutcomeFact>, bool), DatabaseError> {
    let until_us = until.map_or(i64::MAX, |until| until.timestamp_micros());
    let sql = format!(
        "select key, offer_id, category, category_id, subcategory, channel_id, channel_name, occurred_us from outcome
         where tenant_id = $1 and customer_id = $2 and occurred_us > $3 and occurred_us <= $4 and key in ({})
         order by occurred_us desc limit $5",
        placeholders(6, keys.len())
    );
    let rows: Vec<OutcomeRow> = fetch!(source, connection => {
        let mut query = sqlx::query_as(AssertSqlSafe(sql.as_str())).bind(tenant).bind(customer_id)
            .bind(after.timestamp_micros()).bind(until_us).bind(OUTCOMES_MAX as i64 + 1);
        for key in keys {
            query = query.bind(*key);
        }
        query.fetch_all(connection)
    })?;
    let is_cut = rows.len() > OUTCOMES_MAX;
    Ok((rows.into_iter().take(OUTCOMES_MAX).map(fact).collect(), is_cut))
}

/// Keeps an outcome.
pub(super) async fn write(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    outcome: &OutcomeRecord,
) -> Result<(), DatabaseError> {
    let OutcomeRecord { offer, channel, .. } = outcome;
    execute!(transaction, sqlx::query(
        "insert into outcome (tenant_id, customer_id, customer_seq, outcome_id, key, offer_id, category, category_id,
           subcategory, channel_id, channel_name, occurred_us)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
        .bind(tenant).bind(customer_id).bind(outcome.customer_seq).bind(&outcome.outcome_id).bind(&outcome.key)
        .bind(&offer.offer_id).bind(&offer.category).bind(&offer.category_id).bind(&offer.subcategory)
        .bind(&channel.id).bind(&channel.name).bind(outcome.at.timestamp_micros()))?;
    Ok(())
}
