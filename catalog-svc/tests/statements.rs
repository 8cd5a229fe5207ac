//! Every statement of catalog-svc runs where customers are spread over servers.

use catalog_svc::store;
use database::{Dialect, Statement};
use testkit::statement::assert_spreadable;

#[test]
fn every_statement_can_be_spread() {
    let [postgres, sqlite] = [Dialect::Postgres, Dialect::Sqlite].map(store::statements);
    let listed = |all| <[Statement]>::iter(all).map(Statement::listed).collect::<Vec<_>>();
    assert_spreadable(env!("CARGO_MANIFEST_DIR"), &listed(&postgres), &listed(&sqlite));
}
