//! The metrics of this service.

/// Counts rows of imports that were accepted or rejected.
pub fn count_rows(result: &'static str, rows: u64) {
    metrics::counter!("proffer.import.rows", "result" => result).increment(rows);
}

/// Describes the metrics, once the process has a recorder.
pub fn describe() {
    metrics::describe_counter!("proffer.import.rows", "Rows of imports, accepted or rejected");
}
