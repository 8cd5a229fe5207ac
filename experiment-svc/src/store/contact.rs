//! Contacts as policy-svc counted them: leaks of held-out customers, and what contacts cost.

use std::collections::BTreeMap;

use database::{Columns, DatabaseError, Dialect, Kind, Rows, Select, Statement, execute};

use super::{
    Store,
    arm::{PAGE, PAGE_OF, arm, epoch},
    listed,
    put::put,
};
use crate::domain::{
    analysis::Arm,
    leak::{ArmContacts, Contact, Meaning, Scope},
};

const CONTACT: Columns = &[
    ("number", Kind::Integer),
    ("customer_id", Kind::Text),
    ("contact_id", Kind::Text),
    ("decision_id", Kind::Text),
    ("rank", Kind::Integer),
    ("offer_id", Kind::Text),
    ("category_id", Kind::Text),
    ("flow_id", Kind::Text),
    ("channel_id", Kind::Text),
    ("cost_e4", Kind::Integer),
    ("happened_us", Kind::Integer),
    ("unreserved", Kind::Boolean),
];

texts!(INSERT, CONTACT, |rows| {
    "insert into contact
       (tenant_id, customer_id, contact_id, decision_id, rank, offer_id, category_id, flow_id,
        channel_id, cost_e4, happened_us, unreserved)
     select $1, customer_id, contact_id, decision_id, rank, offer_id, category_id, flow_id,
       channel_id, cost_e4, happened_us, unreserved
     from {rows} asked where true order by number
     on conflict (tenant_id, customer_id, contact_id) do nothing"
});

const ADVANCE: &str = "insert into contact_position (tenant_id, position) values ($1, $2)
    on conflict (tenant_id) do update set position = excluded.position
    where excluded.position > contact_position.position";

const POSITION: &str = "select position from contact_position where tenant_id = $1";

fn page_text() -> String {
    format!("select a.customer_id, a.is_holdout from {PAGE_OF} order by a.customer_id")
}

fn contacts_text() -> String {
    format!(
        "select a.customer_id, a.is_holdout, c.contact_id, c.decision_id, c.rank, c.offer_id,
           c.flow_id, c.channel_id, c.cost_e4, c.happened_us, c.unreserved,
           case when e.is_ghost and e.decision_id = c.decision_id then 'ghost' else '' end,
           a.epoch, a.assigned_us
         from {PAGE_OF}
         join contact c on c.tenant_id = a.tenant_id and c.customer_id = a.customer_id
           and c.happened_us >= a.assigned_us and c.happened_us < $5
         left join exposure e on e.tenant_id = a.tenant_id
           and e.customer_id = a.customer_id and e.experiment_id = a.experiment_id
         order by a.customer_id, c.contact_id"
    )
}

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    let why = "an audit reads the contacts of all customers of an experiment";
    let mut all = listed("new contacts", &INSERT, dialect);
    all.extend([
        Statement::new("position of contacts", ADVANCE),
        Statement::new("how far contacts are followed", POSITION),
        Statement::new("customers of an audit", page_text()).scan(why),
        Statement::new("contacts of an experiment's customers", contacts_text()).scan(why),
    ]);
    all
}

/// A contact as policy-svc sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewContact {
    /// The customer.
    pub customer_id: String,
    /// Its id; a second one of the same id changes nothing.
    pub contact_id: String,
    /// The decision it came from; empty without one.
    pub decision_id: String,
    /// Rank within that decision; 0 without one.
    pub rank: i64,
    /// The offer; empty without one.
    pub offer_id: String,
    /// Its category; empty without one.
    pub category_id: String,
    /// The flow that decided; empty without a decision.
    pub flow_id: String,
    /// The channel; empty without one.
    pub channel_id: String,
    /// What it cost, in 1/10,000.
    pub cost_e4: i64,
    /// When it happened, in microseconds.
    pub happened_us: i64,
    /// True when it was reported without a slot that was held.
    pub is_unreserved: bool,
}

/// The contacts of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Of the treated.
    pub treatment: ArmContacts,
    /// Of the held out: their contacts are leaks.
    pub holdout: ArmContacts,
    /// The first leaks after the place that was asked for, by customer and contact.
    pub leaks: Vec<Contact>,
}

/// Customer, arm, contact, decision, rank, offer, flow, channel; cost, instant, unreserved; then
/// `ghost` on the customer's held-out decision, split and instant of the arm.
type ContactColumns =
    (String, bool, String, String, i64, String, String, String, i64, i64, bool, String, i64, i64);

impl Store {
    /// Stores contacts up to a position of policy-svc's ledger; those that are there stay.
    pub async fn put_contacts(
        &self,
        tenant: &str,
        contacts: &[NewContact],
        position: i64,
    ) -> Result<(), DatabaseError> {
        // Writers take the rows in one order.
        let sorted: BTreeMap<(&str, &str), &NewContact> = contacts
            .iter()
            .map(|contact| ((contact.customer_id.as_str(), contact.contact_id.as_str()), contact))
            .collect();
        let mut rows = Rows::new(CONTACT);
        for (number, contact) in sorted.into_values().enumerate() {
            rows.push([
                number.into(),
                (&contact.customer_id).into(),
                (&contact.contact_id).into(),
                (&contact.decision_id).into(),
                contact.rank.into(),
                (&contact.offer_id).into(),
                (&contact.category_id).into(),
                (&contact.flow_id).into(),
                (&contact.channel_id).into(),
                contact.cost_e4.into(),
                contact.happened_us.into(),
                contact.is_unreserved.into(),
            ]);
        }
        let mut transaction = self.database.begin().await?;
        put(&mut transaction, tenant, &INSERT, &rows).await?;
        execute!(&mut transaction, sqlx::query(ADVANCE).bind(tenant).bind(position))?;
        transaction.commit().await
    }

    /// The position of policy-svc's ledger up to which contacts are stored; 0 before the first.
    pub async fn contact_position(&self, tenant: &str) -> Result<i64, DatabaseError> {
        let select = Select::new(POSITION).bind(tenant).brief();
        let position: Option<(i64,)> = select.optional(&self.database).await?;
        Ok(position.map_or(0, |(position,)| position))
    }

    /// Counts the contacts of an experiment's customers from their arm until `until_us`, and lists
    /// at most `limit` leaks after the place `after`, a customer and a contact.
    pub async fn audit(
        &self,
        tenant: &str,
        (experiment_id, scope): (&str, &Scope),
        until_us: i64,
        after: (&str, &str),
        limit: usize,
    ) -> Result<Audit, DatabaseError> {
        let mut audit = Audit::default();
        let mut visit = |contact: &Contact, meaning| {
            audit.of(contact.arm).add(contact, meaning);
            let place = (contact.customer_id.as_str(), contact.contact_id.as_str());
            if meaning == Meaning::Leak && place > after && audit.leaks.len() < limit {
                audit.leaks.push(contact.clone());
            }
        };
        let of = (experiment_id, scope);
        let [treated, held_out] = self.visit_contacts(tenant, of, until_us, &mut visit).await?;
        audit.treatment.customers = treated;
        audit.holdout.customers = held_out;
        Ok(audit)
    }

    /// Visits the contacts of an experiment's customers from their arm until `until_us`, by
    /// customer and contact; returns the treated and the held-out customers.
    pub async fn visit_contacts(
        &self,
        tenant: &str,
        (experiment_id, scope): (&str, &Scope),
        until_us: i64,
        visit: &mut (dyn FnMut(&Contact, Meaning) + Send),
    ) -> Result<[u64; 2], DatabaseError> {
        let ([mut treated, mut held_out], mut last) = ([0, 0], String::new());
        loop {
            let page = |text: String| {
                Select::new(text).bind(tenant).bind(experiment_id).bind(last.as_str()).bind(PAGE)
            };
            let customers: Vec<(String, bool)> = page(page_text()).all(&self.database).await?;
            let contacts: Vec<ContactColumns> =
                page(contacts_text()).bind(until_us).all(&self.database).await?;
            for (_, is_holdout) in &customers {
                *(if *is_holdout { &mut held_out } else { &mut treated }) += 1;
            }
            for row in contacts {
                let contact = contact(row)?;
                visit(&contact, scope.meaning(&contact));
            }
            match customers.into_iter().next_back() {
                Some((customer, _)) => last = customer,
                None => return Ok([treated, held_out]),
            }
        }
    }
}

impl Audit {
    fn of(&mut self, arm: Arm) -> &mut ArmContacts {
        match arm {
            Arm::Treatment => &mut self.treatment,
            Arm::Holdout => &mut self.holdout,
        }
    }
}

fn contact(row: ContactColumns) -> Result<Contact, DatabaseError> {
    let (customer_id, is_holdout, contact_id, decision_id, rank, offer_id, flow_id, channel_id) =
        (row.0, row.1, row.2, row.3, row.4, row.5, row.6, row.7);
    Ok(Contact {
        customer_id,
        arm: arm(is_holdout),
        epoch: epoch(row.12)?,
        assigned_us: row.13,
        contact_id,
        decision_id,
        rank,
        offer_id,
        flow_id,
        channel_id,
        cost_e4: row.8,
        happened_us: row.9,
        is_unreserved: row.10,
        is_on_ghost: row.11 == "ghost",
    })
}
