//! The compiled flow, and the oracle it is held to.

use std::hint::black_box;

use decision_svc::domain::{
    compile::{CompiledFlow, Facts},
    oracle::{self, OracleFlow},
    plan::{Wanted, plan},
    scalar::Fields,
    scratch::Scratch,
};
use formula::Moment;

use super::{BEST, Best, workload::Workload};

/// The programme, compiled both ways, and the customers' records.
pub struct Ours {
    compiled: CompiledFlow,
    oracle: OracleFlow,
    records: Vec<Fields>,
    attributes: Fields,
    moment: Moment,
}

impl Ours {
    /// Compiles.
    pub fn new(workload: &Workload) -> Self {
        Self {
            compiled: workload.compile(),
            oracle: OracleFlow::compile(workload.flow(), &workload.catalog()),
            records: workload.customers.iter().map(|customer| customer.record()).collect(),
            attributes: Fields::new(),
            moment: Moment::new(workload.now, chrono_tz::Europe::London),
        }
    }

    /// Room for evaluations.
    pub fn scratch(&self) -> Scratch {
        Scratch::default()
    }

    fn facts(&self, customer: usize) -> Facts<'_> {
        Facts::of_record(&self.records[customer], &self.attributes, &self.moment)
    }

    /// Once, for the clock.
    pub fn evaluate(&self, customer: usize, scratch: &mut Scratch) {
        black_box(&self.compiled.evaluate(&self.facts(black_box(customer)), &[], BEST, scratch));
    }

    /// The customers' records in a flow's own value type, each taken in beforehand.
    #[cfg(feature = "peers")]
    pub fn ready(&self) -> Vec<Scratch> {
        let taken_in = |record| {
            let mut scratch = Scratch::default();
            self.compiled.take_in(record, &mut scratch);
            scratch
        };
        self.records.iter().map(taken_in).collect()
    }

    /// Once, for the clock, of a customer whose record is taken in.
    #[cfg(feature = "peers")]
    pub fn judge(&self, customer: usize, ready: &mut [Scratch]) {
        black_box(&self.compiled.judge(&self.facts(black_box(customer)), &[], BEST, &mut ready[customer]));
    }

    /// All that a decision needs of it, for the clock.
    pub fn plan(&self, customer: usize) {
        let wanted = Wanted { exclude_offers: &[], ranked_max: 500, refused_max: 0 };
        black_box(plan(&self.compiled, &self.facts(black_box(customer)), &wanted));
    }

    /// The best by number.
    pub fn best(&self, customer: usize) -> Best {
        let mut scratch = self.scratch();
        self.compiled.evaluate(&self.facts(customer), &[], BEST, &mut scratch);
        scratch.best().iter().map(|best| best.offer() as u32).collect()
    }

    /// The best by number, as the oracle says.
    pub fn by_oracle(&self, customer: usize) -> Best {
        let plan = oracle::plan(&self.oracle, &self.facts(customer), &[]);
        let number = |ranked: &oracle::OracleRanked| ranked.offer_id.trim_start_matches("off_").parse().ok();
        plan.ranked.iter().take(BEST).filter_map(number).collect()
    }
}
