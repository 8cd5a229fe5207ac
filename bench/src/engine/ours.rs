//! Our engine: the compiled flow, and the oracle that checks it.

use std::hint::black_box;

use decision_svc::domain::{
    compile::CompiledFlow,
    evaluate::Customer,
    facts::Facts,
    oracle::{self, OracleFlow},
    plan::{Wanted, apply},
    scalar::Fields,
    scratch::Workspace,
};
use formula::Moment;
#[cfg(feature = "peers")]
use {decision_svc::domain::scratch::Scratch, formula::program::Record};

use super::{BEST, Best, workload::Workload};

/// The campaign, compiled for both engines, and the customers' records.
pub struct Ours {
    compiled: CompiledFlow,
    oracle: OracleFlow,
    records: Vec<Fields>,
    attributes: Fields,
    moment: Moment,
}

impl Ours {
    /// Compiles the flow for both engines.
    pub fn new(workload: &Workload) -> Self {
        Self {
            compiled: workload.compile(),
            oracle: OracleFlow::compile(workload.flow(), &workload.catalog()),
            records: workload.customers.iter().map(|customer| customer.record()).collect(),
            attributes: Fields::new(),
            moment: Moment::new(workload.now, chrono_tz::Europe::London),
        }
    }

    fn facts(&self, customer: usize) -> Facts<'_> {
        Facts::of_record(&self.records[customer], &self.attributes, &self.moment)
    }

    /// One evaluation, including the loading of the record.
    pub fn evaluate(&self, customer: usize, workspace: &mut Workspace) {
        let facts = self.facts(black_box(customer));
        self.compiled.take_in(facts.record, &mut workspace.record);
        let subject = Customer { facts: &facts, record: &workspace.record };
        black_box(&self.compiled.evaluate(&subject, &[], BEST, &mut workspace.scratch));
    }

    /// The customers' records, loaded into the flow's own value type.
    #[cfg(feature = "peers")]
    pub fn taken_in(&self) -> Vec<Record> {
        let taken_in = |fields| {
            let mut record = Record::default();
            self.compiled.take_in(fields, &mut record);
            record
        };
        self.records.iter().map(taken_in).collect()
    }

    /// One evaluation of a customer whose record is already loaded.
    #[cfg(feature = "peers")]
    pub fn evaluate_taken_in(&self, customer: usize, records: &[Record], scratch: &mut Scratch) {
        let customer = black_box(customer);
        let subject = Customer { facts: &self.facts(customer), record: &records[customer] };
        black_box(&self.compiled.evaluate(&subject, &[], BEST, scratch));
    }

    /// The whole plan of a decision.
    pub fn plan(&self, customer: usize, workspace: &mut Workspace) {
        let wanted = Wanted { exclude_offers: &[], ranked_max: 500, refused_max: 0 };
        let facts = self.facts(black_box(customer));
        black_box(apply(&self.compiled, &facts, &wanted, workspace));
    }

    /// Numbers of the best offers.
    pub fn best(&self, customer: usize) -> Best {
        let mut workspace = Workspace::default();
        self.evaluate(customer, &mut workspace);
        workspace.scratch.best().iter().map(|best| best.offer() as u32).collect()
    }

    /// The best by number, according to the oracle.
    pub fn by_oracle(&self, customer: usize) -> Best {
        let plan = oracle::plan(&self.oracle, &self.facts(customer), &[]);
        let number =
            |ranked: &oracle::OracleRanked| ranked.offer_id.trim_start_matches("off_").parse().ok();
        plan.ranked.iter().take(BEST).filter_map(number).collect()
    }
}
