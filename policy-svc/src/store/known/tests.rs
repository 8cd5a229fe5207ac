use database::{Database, Location, PoolSizes};

use super::*;

/// How SQLite reaches the tables of a statement: the table's name in it, and what its index is
/// asked for.
async fn plan(database: &Database, sql: &str, parameters: usize) -> Vec<String> {
    let sql = format!("explain query plan {sql}");
    let select = (0..parameters).fold(Select::new(sql), |select, _| select.bind("[]"));
    let steps: Vec<(i64, i64, i64, String)> = select.all(database).await.unwrap();
    steps.into_iter().map(|step| step.3).collect()
}

/// Whatever is read together, each customer's rows are found by the customer, and by what narrows
/// them further. A part that begins with a table reads it whole, and one that begins with the
/// tenant reads all its customers.
#[tokio::test]
async fn every_statement_reaches_every_table_by_the_customer_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Folder(folder.path().to_owned());
    let steps = [history::migrations(), super::super::migrations()];
    let database = Database::open(&location, "policy", PoolSizes::default(), &steps).await.unwrap();
    let narrowed = [
        (" n ", "state=? AND committed_us>?"),
        (" o ", "key=? AND occurred_us>? AND occurred_us<?"),
        (" r ", "request_key=?"),
        (" s ", "consent_id=?"),
    ];
    for number in 0..STATEMENTS {
        let (_, asked, words) = Parts::of(number);
        let parameters =
            Dialect::Sqlite.parameters(ASKED, asked) + Dialect::Sqlite.parameters(WORD, words);
        let sql = ON_SQLITE.get(number).unwrap();
        let steps = plan(&database, sql, parameters).await;
        let tables = ["contact", "outcome", "consent", "grant_request", "customer"];
        for step in steps.iter().filter(|step| step.contains(" USING ") && !step.contains("head")) {
            assert!(step.contains("(tenant_id=? AND customer_id=?"), "statement {number}: {step}");
            for (table, narrow) in narrowed {
                assert!(
                    !step.contains(table) || step.contains(narrow),
                    "statement {number}: {step}"
                );
            }
        }
        let is_whole = |step: &&String| {
            step.starts_with("SCAN") && tables.iter().any(|table| step.contains(table))
        };
        assert_eq!(steps.iter().find(is_whole), None, "statement {number}");
    }
    let named = Parts { named: true, ..Parts::default() }.number(Count::Many, Count::Many);
    let steps = plan(&database, ON_SQLITE.get(named).unwrap(), 2).await;
    assert!(
        steps.iter().any(|step| step.contains("contact_once") && step.contains("decision_id=?")),
        "{steps:#?}"
    );
    let committed = Parts { committed: true, ..Parts::default() }.number(Count::One, Count::Many);
    let steps = plan(&database, ON_SQLITE.get(committed).unwrap(), ASKED.len() + 1).await;
    let bounded =
        steps.iter().filter(|step| step.contains(" c ") && step.contains("committed_us>?")).count();
    assert_eq!(bounded, 1, "{steps:#?}");
}
