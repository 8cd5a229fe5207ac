//! Every statement of decision-svc runs where customers are spread over servers.

use database::{Dialect, Statement};
use decision_svc::store;
use testkit::statement::{Listed, assert_spreadable};

fn listed(statements: &[Statement]) -> Vec<Listed<'_>> {
    statements.iter().map(|one| (one.name, &*one.text, one.scan)).collect()
}

#[test]
fn every_statement_can_be_spread() {
    let [postgres, sqlite] = [Dialect::Postgres, Dialect::Sqlite].map(store::statements);
    assert_spreadable(env!("CARGO_MANIFEST_DIR"), &listed(&postgres), &listed(&sqlite));
}
