//! Reads the `after` and `before` of a list request as a range of time.

use prost_types::Timestamp;
use serve::Problem;

use crate::messages::instant;

/// Instants from one on and before another, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first instant.
    pub from_us: i64,
    /// The first instant that is no longer in it.
    pub until_us: i64,
}

impl Range {
    /// The range of a request's `after`, which is in it, and `before`, which is not; open where one
    /// is left out.
    pub fn read(after: Option<&Timestamp>, before: Option<&Timestamp>) -> Result<Self, Problem> {
        let mut faults = Vec::new();
        let mut micros = |field: &str, at: Option<&Timestamp>, open: i64| match at.map(instant) {
            None => open,
            Some(Ok(at)) => at.timestamp_micros(),
            Some(Err(message)) => {
                faults.push((field.to_owned(), message));
                open
            }
        };
        let from_us = micros("after", after, i64::MIN);
        let until_us = micros("before", before, i64::MAX);
        if from_us >= until_us {
            let message = "is not before `before`: no instant is in that range; swap them";
            faults.push(("after".to_owned(), message.to_owned()));
        }
        if faults.is_empty() {
            return Ok(Self { from_us, until_us });
        }
        Err(Problem::invalid_fields(faults))
    }

    /// Its ends as a page token is bound to them.
    pub fn marks(self) -> [String; 2] {
        [self.from_us.to_string(), self.until_us.to_string()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_first_instant_and_not_its_last() {
        let at = |seconds| Timestamp { seconds, nanos: 0 };
        let range = |after: Option<i64>, before: Option<i64>| {
            Range::read(after.map(at).as_ref(), before.map(at).as_ref())
        };
        let whole = Range { from_us: i64::MIN, until_us: i64::MAX };
        assert_eq!(range(None, None).unwrap(), whole);
        let hour = Range { from_us: 3_600_000_000, until_us: 7_200_000_000 };
        assert_eq!(range(Some(3_600), Some(7_200)).unwrap(), hour);
        for (after, before) in [(1, 1), (2, 1)] {
            let problem = range(Some(after), Some(before)).unwrap_err();
            assert!(tonic::Status::from(problem).message().contains("is not before `before`"));
        }
        let odd = Timestamp { seconds: i64::MAX, nanos: 0 };
        let problem = Range::read(None, Some(&odd)).unwrap_err();
        assert!(tonic::Status::from(problem).message().contains("years 1 to 9999"));
    }
}
