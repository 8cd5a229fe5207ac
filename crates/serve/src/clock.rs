//! The only place that reads the time. All other code gets instants or a [`Clock`] as arguments.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};

/// A source of instants, to the microsecond.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// The machine's clock, shifted by so many microseconds.
    Running(Arc<AtomicI64>),
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::running(TimeDelta::zero())
    }

    /// A clock that reads `start` now and runs at the machine's rate.
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Self::running(start - machine_now())
    }

    fn running(shift: TimeDelta) -> Self {
        let micros = shift.num_microseconds().unwrap_or_default();
        Self(Source::Running(Arc::new(AtomicI64::new(micros))))
    }

    /// Lets time pass at once, on this clock and all its clones.
    pub fn advance(&self, by: TimeDelta) {
        let (Source::Running(micros) | Source::Set(micros)) = &self.0;
        micros.fetch_add(by.num_microseconds().unwrap_or_default(), Ordering::SeqCst);
    }

    /// A clock that changes only by [`Clock::set`] and [`Clock::advance`]; for tests.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self(Source::Set(Arc::new(AtomicI64::new(at.timestamp_micros()))))
    }

    /// Moves a fixed clock, and all its clones; a running clock ignores it.
    pub fn set(&self, at: DateTime<Utc>) {
        if let Source::Set(micros) = &self.0 {
            micros.store(at.timestamp_micros(), Ordering::SeqCst);
        }
    }

    /// This instant.
    pub fn now(&self) -> DateTime<Utc> {
        let exact = match &self.0 {
            Source::Running(shift) => {
                machine_now() + TimeDelta::microseconds(shift.load(Ordering::Relaxed))
            }
            Source::Set(micros) => return from_micros(micros.load(Ordering::SeqCst)),
        };
        from_micros(exact.timestamp_micros())
    }

    /// Starts measuring elapsed time, which never runs backwards.
    pub fn stopwatch(&self) -> Stopwatch {
        #[expect(clippy::disallowed_methods, reason = "this is the seam")]
        Stopwatch(Instant::now())
    }
}

/// Elapsed time since [`Clock::stopwatch`].
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Milliseconds since the start, to the microsecond.
    pub fn elapsed_ms(&self) -> f64 {
        self.elapsed().as_micros() as f64 / 1000.0
    }
}

/// The instant `micros` microseconds after 1970; out-of-range input gives the epoch.
pub fn from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "this is the seam")]
fn machine_now() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_it_is_set() {
        let clock = Clock::fixed(from_micros(5));
        let twin = clock.clone();
        assert_eq!(clock.now(), from_micros(5));
        twin.set(from_micros(9));
        assert_eq!(clock.now(), from_micros(9));
    }
}
