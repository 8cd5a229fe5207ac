//! Turns of the threads that read files. A file is read as fast as it arrives, so without them as
//! many processors as there are imports would read, and none would answer other calls.

use std::{
    num::NonZero,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::available_parallelism,
};

/// Turns per processor. A reader with a turn may wait for the writer of its rows, so there are more
/// than processors.
const PER_PROCESSOR: usize = 2;

/// Turns to read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    free: Mutex<usize>,
    given_back: Condvar,
}

/// A turn; it is given back when it is dropped.
#[derive(Debug)]
pub struct Turn(Arc<Shared>);

impl Default for Turns {
    fn default() -> Self {
        Self::new(PER_PROCESSOR * available_parallelism().map_or(1, NonZero::get))
    }
}

impl Turns {
    /// So many at once.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Shared { free: Mutex::new(count), given_back: Condvar::new() }))
    }

    /// Waits for a turn. This blocks; it takes no longer than others need for the pieces they have,
    /// because a thread gives its turn back before it waits for a caller.
    pub fn take(&self) -> Turn {
        let free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.given_back.wait_while(free, |free| *free == 0);
        let mut free = waited.unwrap_or_else(PoisonError::into_inner);
        *free = free.saturating_sub(1);
        Turn(self.0.clone())
    }

    /// How many are free.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        *self.0.free.lock().unwrap()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn one_more_than_there_are_turns_waits_until_one_is_given_back() {
        let turns = Turns::new(2);
        let held = [turns.take(), turns.take()];
        let (sender, taken) = mpsc::channel();
        let waiting = std::thread::spawn({
            let turns = turns.clone();
            move || {
                let turn = turns.take();
                sender.send(()).unwrap();
                drop(turn);
            }
        });
        assert_eq!(taken.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(held);
        waiting.join().unwrap();
        assert_eq!(taken.recv(), Ok(()));
        assert_eq!(turns.free(), 2);
    }
}
