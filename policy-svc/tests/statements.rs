//! Every statement of policy-svc runs where customers are spread over servers.

use database::Dialect;
use policy_svc::store;
use testkit::statement::{Listed, assert_spreadable};

type Statement = (&'static str, String, Option<&'static str>);

fn listed(statements: &[Statement]) -> Vec<Listed<'_>> {
    statements.iter().map(|(name, text, scan)| (*name, text.as_str(), *scan)).collect()
}

#[test]
fn every_statement_can_be_spread() {
    let [postgres, sqlite] = [Dialect::Postgres, Dialect::Sqlite].map(store::statements);
    assert_spreadable(env!("CARGO_MANIFEST_DIR"), &listed(&postgres), &listed(&sqlite));
}
