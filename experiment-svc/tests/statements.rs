//! Every statement of experiment-svc runs where customers are spread over servers.

use database::{Dialect, Statement};
use experiment_svc::store;
use testkit::statement::{assert_reached, assert_spreadable};

#[test]
fn every_statement_can_be_spread() {
    let [postgres, sqlite] = [Dialect::Postgres, Dialect::Sqlite].map(store::statements);
    let listed = |all| <[Statement]>::iter(all).map(Statement::listed).collect::<Vec<_>>();
    assert_spreadable(env!("CARGO_MANIFEST_DIR"), &listed(&postgres), &listed(&sqlite));
}

/// Otherwise a read of one customer would cost what all customers of the tenant cost.
#[test]
fn every_statement_finds_a_customers_rows_by_the_customer() {
    let all = store::statements(Dialect::Sqlite);
    assert_reached(
        env!("CARGO_MANIFEST_DIR"),
        &all.iter().map(Statement::listed).collect::<Vec<_>>(),
    );
}
