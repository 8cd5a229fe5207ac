//! How much is done, from which seed, by how many threads.

use std::{env, num::NonZero, thread};

use proptest::test_runner::{RngAlgorithm, TestRng};

/// A twentieth is done unless everything is asked for.
const PARTS: usize = 20;
const SEED: u64 = 20_261_125;

/// What a run does.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    pub seed: u64,
    part: usize,
}

impl Drill {
    pub fn of_environment() -> Self {
        let is_full = env::var("PROFFER_DRILL_FULL").is_ok_and(|value| value == "1");
        let seed = env::var("PROFFER_DRILL_SEED").map_or(SEED, |seed| seed.parse().unwrap());
        Self { seed, part: if is_full { 1 } else { PARTS } }
    }

    /// So many, or a twentieth of them.
    pub fn of(self, full: usize) -> usize {
        full / self.part
    }

    /// Chance for one piece of work: the same for the same seed and number, whichever thread does
    /// it.
    pub fn draw(self, number: usize) -> TestRng {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&u64::try_from(number).unwrap().to_le_bytes());
        TestRng::from_seed(RngAlgorithm::ChaCha, &seed)
    }
}

/// Does `work` for every number below `count` on all processors, and adds up what it found.
pub fn on_all_processors<T: Default + Send>(
    count: usize,
    work: impl Fn(usize, &mut T) + Sync,
    add: impl Fn(&mut T, T),
) -> T {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = |first: usize| {
        let mut found = T::default();
        (first..count).step_by(threads).for_each(|number| work(number, &mut found));
        found
    };
    let mut sum = T::default();
    thread::scope(|scope| {
        let share = &share;
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(move || share(first))).collect();
        for thread in running {
            add(&mut sum, thread.join().unwrap());
        }
    });
    sum
}
