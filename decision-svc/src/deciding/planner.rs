//! Plans cases in memory that is kept from one plan to the next.

use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{
    case::Case,
    plan::{Plan, plan},
    scratch::Workspace,
};

/// Most workspaces kept: more than plans run at once on most machines.
const SPARE_MAX: usize = 64;

/// Plans cases. Cheap to clone; clones share the memory.
#[derive(Clone, Debug, Default)]
pub struct Planner(Arc<Mutex<Vec<Workspace>>>);

impl Planner {
    /// The plan of a case.
    pub fn plan(&self, case: &Case) -> Plan {
        let spare = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workspace = spare().pop().unwrap_or_default();
        let plan = plan(case, &mut workspace);
        let mut spare = spare();
        if spare.len() < SPARE_MAX {
            spare.push(workspace);
        }
        plan
    }
}
