//! Plans cases in memory that is kept from one plan to the next.

use std::{
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Semaphore,
};

use crate::domain::{
    case::Case,
    plan::{Plan, plan},
    scratch::{WORKSPACE_BYTES_MAX, Workspace},
};

/// Most workspaces kept: more than plans run at once on most machines.
const SPARE_MAX: usize = 64;

/// Plans cases. Cheap to clone; clones share the memory.
#[derive(Clone, Debug)]
pub struct Planner {
    spare: Arc<Mutex<Vec<Workspace>>>,
    /// Turns of plans that may take long: half the processors stay free for all other calls.
    long: Arc<Semaphore>,
}

impl Default for Planner {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        let (spare, long) = (Arc::default(), Arc::new(Semaphore::new((processors / 2).max(1))));
        Self { spare, long }
    }
}

impl Planner {
    /// The plan of a case. One that may take long gives its thread's other work to another thread
    /// first, so that no other call waits for it.
    pub async fn plan(&self, case: &Case) -> Plan {
        if !case.is_long() {
            return self.planned(case);
        }
        metrics::counter!("proffer.decisions.long").increment(1);
        // INVARIANT: the semaphore is never closed.
        let turn = self.long.acquire().await.ok();
        let plan = match Handle::current().runtime_flavor() {
            RuntimeFlavor::MultiThread => tokio::task::block_in_place(|| self.planned(case)),
            // Tests.
            _ => self.planned(case),
        };
        drop(turn);
        plan
    }

    fn planned(&self, case: &Case) -> Plan {
        let spare = || self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workspace = spare().pop().unwrap_or_default();
        let plan = plan(case, &mut workspace);
        let mut spare = spare();
        // Memory that one costly plan has grown is given back.
        if spare.len() < SPARE_MAX && workspace.texts_size() <= WORKSPACE_BYTES_MAX {
            spare.push(workspace);
        }
        plan
    }
}
