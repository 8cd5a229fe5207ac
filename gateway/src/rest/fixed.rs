//! The three paths that no contract declares: the list of all calls, the import of a file, and the
//! check of a resource.

/// The list of all calls.
pub const INDEX: &str = "/api/v1";
/// Where a resource is checked without being written: each kind has its own call for that.
pub const VALIDATE: &str = "/api/v1/validate";
/// What it does.
pub const VALIDATE_SUMMARY: &str = "Checks a resource of any kind without writing it";
/// The gRPC method that takes files.
pub const METHOD: &str = "/proffer.catalog.v1.RecordService/ImportRecords";
/// Where files are posted, as contracts write paths.
pub const TEMPLATE: &str = "/api/v1/schemas/{schema}/records:import";
/// Where files are posted: below a schema.
const BEFORE: &str = "/api/v1/schemas/";
const AFTER: &str = "/records:import";

/// The schema, still encoded, when a path is one where files are posted.
pub fn schema_in(path: &str) -> Option<&str> {
    let schema = path.strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
    (!schema.is_empty() && !schema.contains('/')).then_some(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_posted_below_a_schema() {
        assert_eq!(schema_in("/api/v1/schemas/Customer/records:import"), Some("Customer"));
        assert_eq!(schema_in("/api/v1/schemas/a%2Fb/records:import"), Some("a%2Fb"));
        for other in [
            "/api/v1/schemas//records:import",
            "/api/v1/schemas/a/b/records:import",
            "/api/v1/schemas/a/records",
        ] {
            assert_eq!(schema_in(other), None, "{other}");
        }
    }
}
