//! Up to which instant everything that was received is recorded or refused, over all processes that
//! share a store.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

/// A process as it was last noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Names the process.
    pub replica_id: String,
    /// Everything that it received up to here is recorded or refused, in microseconds since 1970.
    pub settled_us: i64,
    /// Another number each time it is noted.
    pub beat: i64,
    /// That is true of its decisions as well. Processes of earlier versions track outcomes only.
    pub tracks_decisions: bool,
}

/// When each process was seen to live. A process is known by its beat, so the clocks of the
/// processes need not agree.
#[derive(Clone, Debug)]
pub struct Sightings {
    /// After this time without a beat a process is gone: what it had received is decided.
    gone_after: Duration,
    /// The last beat, and when it was seen first, by process.
    seen: BTreeMap<String, (i64, Duration)>,
}

/// How far all processes have settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Every outcome that was received up to here is recorded or refused.
    pub through: DateTime<Utc>,
    /// Every decision that was made up to here is recorded or failed.
    pub decisions_through: DateTime<Utc>,
    /// Processes that ended so long ago that their rows may be removed.
    pub forgotten: Vec<Replica>,
}

/// A process that is gone for this many times as long as a request lives is forgotten.
const FORGOTTEN_AFTER: u32 = 2;

impl Sightings {
    /// Nothing seen yet.
    pub fn new(gone_after: Duration) -> Self {
        Self { gone_after, seen: BTreeMap::new() }
    }

    /// The minimum over all processes. `own` is how far this process has settled at `now`, and
    /// `elapsed` the time since some start, which never runs backwards. A process that is gone may
    /// have left requests that are still decided: it counts until the age at which none is left.
    pub fn found(
        &mut self,
        others: &[Replica],
        own: DateTime<Utc>,
        now: DateTime<Utc>,
        elapsed: Duration,
    ) -> Found {
        let known = |id: &String| others.iter().any(|replica| replica.replica_id == *id);
        self.seen.retain(|id, _| known(id));
        let (mut through, mut decisions_through, mut forgotten) = (own, own, Vec::new());
        let before = now - TimeDelta::from_std(self.gone_after).unwrap_or_default();
        for replica in others {
            let seen = self.seen.entry(replica.replica_id.clone());
            let seen = seen.or_insert((replica.beat, elapsed));
            if seen.0 != replica.beat {
                *seen = (replica.beat, elapsed);
            }
            let silence = elapsed.saturating_sub(seen.1);
            if silence < self.gone_after {
                let settled = DateTime::from_timestamp_micros(replica.settled_us);
                through = through.min(settled.unwrap_or_default());
                if !replica.tracks_decisions {
                    decisions_through = decisions_through.min(before);
                }
            } else if silence < self.gone_after * FORGOTTEN_AFTER {
                through = through.min(before);
            } else {
                forgotten.push(replica.clone());
            }
        }
        decisions_through = decisions_through.min(through);
        Found { through, decisions_through, forgotten }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(id: &str, second: i64, beat: i64) -> Replica {
        let replica_id = id.to_owned();
        Replica { replica_id, settled_us: second * 1_000_000, beat, tracks_decisions: true }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn the_slowest_of_the_living_processes_says_how_far_all_have_settled() {
        let mut sightings = Sightings::new(Duration::from_secs(60));
        let mut through = |others: &[Replica], now: i64, elapsed: u64| {
            let found = sightings.found(others, at(now), at(now), Duration::from_secs(elapsed));
            (found.through.timestamp(), found.forgotten.len())
        };
        assert_eq!(through(&[], 1_000, 0), (1_000, 0));
        // It holds a receipt open, and beats.
        assert_eq!(through(&[replica("b", 990, 1)], 1_001, 1), (990, 0));
        assert_eq!(through(&[replica("b", 990, 2)], 1_050, 50), (990, 0));
        assert_eq!(through(&[replica("b", 990, 3)], 1_109, 109), (990, 0));
        assert_eq!(through(&[replica("b", 1_110, 4)], 1_110, 110), (1_110, 0));
        // It beats no more. Until its last request is decided it counts as it was seen.
        assert_eq!(through(&[replica("b", 1_110, 4)], 1_169, 169), (1_110, 0));
        assert_eq!(through(&[replica("b", 1_110, 4)], 1_170, 170), (1_110, 0));
        assert_eq!(through(&[replica("b", 1_110, 4)], 1_200, 200), (1_140, 0));
        assert_eq!(through(&[replica("b", 1_110, 4)], 1_230, 230), (1_230, 1));
        // It was only away.
        assert_eq!(through(&[replica("b", 1_231, 5)], 1_232, 232), (1_231, 0));
    }

    #[test]
    fn a_process_that_starts_again_waits_for_what_it_finds() {
        let mut sightings = Sightings::new(Duration::from_secs(60));
        let found = sightings.found(&[replica("a", 10, 7)], at(500), at(500), Duration::ZERO);
        assert_eq!(found.through, at(10), "how long it is silent is not known yet");
    }

    /// What it has in flight is not known: nothing is after as long as a request may take.
    #[test]
    fn decisions_of_an_earlier_version_are_waited_for_as_long_as_a_request_lives() {
        let mut sightings = Sightings::new(Duration::from_secs(60));
        let earlier = Replica { tracks_decisions: false, ..replica("b", 999, 1) };
        let found = sightings.found(&[earlier], at(1_000), at(1_000), Duration::ZERO);
        assert_eq!((found.through, found.decisions_through), (at(999), at(940)));
        let found = sightings.found(&[replica("c", 999, 1)], at(1_000), at(1_000), Duration::ZERO);
        assert_eq!((found.through, found.decisions_through), (at(999), at(999)));
    }
}
