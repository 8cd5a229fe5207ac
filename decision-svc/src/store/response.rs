//! SQL of contacts and the responses to them: what is known of each contact, and the counts.

use std::{collections::BTreeMap, sync::LazyLock};

use database::{
    Cell, Columns, Count as HowMany, DatabaseError, Dialect, Kind, Rows, Select, Statement, Texts,
    Transaction, execute, within,
};

use super::{Store, online};
use crate::domain::{
    contact_report::{Change, ContactReport, ContactState},
    responses::Count,
};

/// Parts that counts are kept in. Transactions take turns with them, so that few wait for the same
/// rows.
pub const PARTS: usize = 16;

/// What was counted, in one part, of contacts with an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseRow {
    /// The part.
    pub part: usize,
    /// The offer.
    pub offer_id: String,
    /// Its category when it was decided.
    pub category: String,
    /// The channel of the decision.
    pub channel: String,
    /// The counts.
    pub count: Count,
    /// The revision of the part that last changed it.
    pub revision: i64,
}

/// What a transaction adds to the counts, by offer, category and channel.
pub(super) type Changes = BTreeMap<(String, String, String), Change>;

/// Positions as the statement takes them.
const ASKED: Columns =
    &[("place", Kind::Integer), ("part", Kind::Integer), ("revision", Kind::Integer)];

const STATE: &str = "select contact_us, responded_us from contact_response
    where tenant_id = $1 and customer_id = $2 and decision_id = $3 and offer_id = $4";

const PUT_STATE: &str = "insert into contact_response
      (tenant_id, customer_id, decision_id, offer_id, channel, contact_us, responded_us,
       is_positive)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (tenant_id, customer_id, decision_id, offer_id) do update set
      contact_us = excluded.contact_us, responded_us = excluded.responded_us,
      is_positive = excluded.is_positive";

const RAISE: &str = "insert into response_head (tenant_id, part, revision) values ($1, $2, 1)
    on conflict (tenant_id, part) do update set revision = response_head.revision + 1
    returning revision";

const ADD: &str = "insert into response_count
      (tenant_id, offer_id, category_id, channel, part, contacts, positives, revision)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (tenant_id, offer_id, category_id, channel, part) do update set
      contacts = response_count.contacts + excluded.contacts,
      positives = response_count.positives + excluded.positives,
      revision = excluded.revision";

/// Contacts and responses of customers by channel.
fn engagement_statement(dialect: Dialect, count: HowMany) -> String {
    format!(
        "select customer_id, channel, count(contact_us),
           cast(sum(case when is_positive then 1 else 0 end) as bigint)
         from contact_response where tenant_id = $1 and {}
         group by customer_id, channel",
        dialect.is_any("customer_id", count, 2),
    )
}

fn changed_statement(dialect: Dialect, count: HowMany) -> String {
    let asked = dialect.bound("asked", ASKED, count, 2);
    format!(
        "{} select c.part, c.offer_id, c.category_id, c.channel, c.contacts, c.positives, c.revision
         from {} where c.tenant_id = $1 and c.part = {} and c.revision > {}",
        asked.with(&[]),
        asked.joined("response_count c"),
        asked.cell("part"),
        asked.cell("revision"),
    )
}

/// An expression for how often the counts of the tenant `parameter` have changed.
pub(super) fn revision_of(parameter: &str) -> String {
    format!(
        "coalesce((select cast(sum(head.revision) as bigint) from response_head head
           where head.tenant_id = {parameter}), 0)"
    )
}

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    vec![
        Statement::new("what is known of a contact", STATE),
        Statement::new("change of a contact", PUT_STATE),
        Statement::new("revision of counts", RAISE),
        Statement::new("change of counts", ADD),
        Statement::new(
            "responses of a customer by channel",
            engagement_statement(dialect, HowMany::One),
        ),
        Statement::new(
            "responses of customers by channel",
            engagement_statement(dialect, HowMany::Many),
        ),
        Statement::new("counts that changed", changed_statement(dialect, HowMany::Many)),
    ]
}

impl Store {
    /// Contacts of these customers and the responses to them, by customer and channel; as far back
    /// as decisions are kept.
    pub async fn responses_of(
        &self,
        tenant: &str,
        customer_ids: &[&str],
    ) -> Result<BTreeMap<String, BTreeMap<String, Count>>, DatabaseError> {
        static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::new(engagement_statement));
        let statement = TEXTS.get(self.database.dialect(), HowMany::of(customer_ids.len()));
        let found: Vec<(String, String, i64, i64)> = Select::new(statement)
            .bind(tenant)
            .bind_any(customer_ids)
            .brief()
            .all(&self.database)
            .await?;
        let mut responses: BTreeMap<String, BTreeMap<String, Count>> = BTreeMap::new();
        for (customer_id, channel, contacts, positives) in found {
            let number = |number: i64| u64::try_from(number).unwrap_or_default();
            let count = Count { contacts: number(contacts), positives: number(positives) };
            responses.entry(customer_id).or_default().insert(channel, count);
        }
        Ok(responses)
    }

    /// Counts of a tenant that changed after these revisions of the parts. Who sees a revision of a
    /// part sees all before it.
    pub async fn responses_after(
        &self,
        tenant: &str,
        revisions: &[i64; PARTS],
    ) -> Result<Vec<ResponseRow>, DatabaseError> {
        static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::new(changed_statement));
        let mut asked = Rows::new(ASKED);
        for (part, revision) in (0..).zip(revisions) {
            let number = |number: i64| Cell::Integer(Some(number));
            asked.push([number(part), number(part), number(*revision)]);
        }
        let statement = TEXTS.get(self.database.dialect(), asked.count());
        type Columns = (i64, String, String, String, i64, i64, i64);
        let found: Vec<Columns> =
            Select::new(statement).bind(tenant).bind_rows(&asked).all(&self.database).await?;
        let row = |(part, offer_id, category, channel, contacts, positives, revision): Columns| {
            let number = |number: i64| u64::try_from(number).unwrap_or_default();
            ResponseRow {
                part: usize::try_from(part).unwrap_or_default(),
                offer_id,
                category,
                channel,
                count: Count { contacts: number(contacts), positives: number(positives) },
                revision,
            }
        };
        Ok(found.into_iter().map(row).collect())
    }
}

/// Notes what a report says of a contact, under the lock of the customer, and adds to `changes`
/// what that changes in the counts.
pub(super) async fn note(
    transaction: &mut Transaction,
    (tenant, customer_id): (&str, &str),
    report: &ContactReport,
    changes: &mut Changes,
) -> Result<(), DatabaseError> {
    let known: Option<(Option<i64>, Option<i64>)> = within!(&mut *transaction, connection =>
        sqlx::query_as(STATE)
            .bind(tenant)
            .bind(customer_id)
            .bind(&report.decision_id)
            .bind(&report.offer_id)
            .fetch_optional(connection))?;
    let (contact_us, responded_us) = known.unwrap_or_default();
    let before = ContactState { contact_us, responded_us };
    let now = before.with(report);
    if now == before {
        return Ok(());
    }
    execute!(
        transaction,
        sqlx::query(PUT_STATE)
            .bind(tenant)
            .bind(customer_id)
            .bind(&report.decision_id)
            .bind(&report.offer_id)
            .bind(&report.channel)
            .bind(now.contact_us)
            .bind(now.responded_us)
            .bind(now.count(report.window_us).positives > 0)
    )?;
    if let Some((flow_id, rank)) = &report.online {
        let key = [tenant, customer_id, &report.decision_id, &report.offer_id];
        if let (None, Some(contact_us)) = (before.contact_us, now.contact_us) {
            let due_us = report.due_us(contact_us);
            let queued = online::Queued { key, flow_id, rank: *rank, due_us };
            online::queue(transaction, queued).await?;
        }
        let is_positive = now.count(report.window_us).positives > 0;
        if is_positive != (before.count(report.window_us).positives > 0) {
            online::judge(transaction, key, is_positive, report.received_us).await?;
        }
    }
    let change = now.change_since(before, report.window_us);
    if change != Change::default() {
        let ContactReport { offer_id, category, channel, .. } = report;
        let of_offer = changes.entry((offer_id.clone(), category.clone(), channel.clone()));
        let sum = of_offer.or_default();
        *sum = sum.plus(change);
    }
    Ok(())
}

/// Adds changes to one part of the counts. The rows of a part are changed by one transaction at a
/// time, and every customer that this one is about is locked already: none waits in a circle.
pub(super) async fn add(
    transaction: &mut Transaction,
    tenant: &str,
    part: i64,
    changes: &Changes,
) -> Result<(), DatabaseError> {
    if changes.is_empty() {
        return Ok(());
    }
    let (revision,): (i64,) = within!(&mut *transaction, connection =>
        sqlx::query_as(RAISE).bind(tenant).bind(part).fetch_one(connection))?;
    for ((offer_id, category, channel), change) in changes {
        execute!(
            &mut *transaction,
            sqlx::query(ADD)
                .bind(tenant)
                .bind(offer_id)
                .bind(category)
                .bind(channel)
                .bind(part)
                .bind(change.contacts)
                .bind(change.positives)
                .bind(revision)
        )?;
    }
    Ok(())
}

/// Tells the metrics what was counted.
pub(super) fn tell(changes: &Changes) {
    let all = changes.values().fold(Change::default(), |sum, change| sum.plus(*change));
    let told = [("contact", all.contacts), ("response", all.positives)];
    for (kind, count) in told {
        if let Some(count) = u64::try_from(count).ok().filter(|count| *count > 0) {
            metrics::counter!("proffer.propensity.counted", "kind" => kind).increment(count);
        }
    }
}
