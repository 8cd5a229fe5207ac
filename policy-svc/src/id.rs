//! Makes ids that sort by time.

use chrono::{DateTime, Utc};

/// Ids that one write about a customer may need.
const PER_WRITE_MAX: i64 = 64;

/// An id that sorts by its millisecond, then by the version of the customer's row that its write
/// replaces, then by its number within that write.
pub fn new_id(prefix: &str, at: DateTime<Utc>, version: i64, number: i64) -> String {
    let order = version.wrapping_mul(PER_WRITE_MAX) + number.min(PER_WRITE_MAX - 1);
    let [.., a, b, c, d, e] = order.to_be_bytes();
    // The last ten bytes of any version 7 uuid are random.
    let [.., f, g, h, i, j] =
        uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 0, 0)).into_bytes();
    // Version and variant of a uuid take the upper bits of the first and third byte.
    let tail = [
        a & 0x0f,
        b,
        c >> 2,
        (c << 6) | (d >> 2),
        (d << 6) | (e >> 2),
        (e << 6) | (f & 0x3f),
        g,
        h,
        i,
        j,
    ];
    let milliseconds = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &tail).into_uuid();
    format!("{prefix}_{}", id.simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_sort_by_version_and_number() {
        let at = DateTime::UNIX_EPOCH;
        let order = [
            (0, 0),
            (0, 1),
            (0, 63),
            (1, 0),
            (63, 5),
            (64, 0),
            (4_096, 0),
            (1 << 20, 2),
            ((1 << 27) + 1, 0),
        ];
        let ids: Vec<_> =
            order.iter().map(|(version, number)| new_id("x", at, *version, *number)).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.last() < Some(&new_id("x", at + chrono::TimeDelta::milliseconds(1), 0, 0)));
    }
}
