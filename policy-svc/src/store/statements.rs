//! Every statement of the ledger, for the test that each can be spread over several nodes.

use database::{Count, Dialect, Statement, Texts};

use super::{
    budget, budget_entry, consent, contact, ended, feed, known, reconciliation, request, retention,
    write,
};

/// The texts, as they are sent.
pub fn statements(dialect: Dialect) -> Vec<Statement> {
    let fixed = [
        ("purge an answer", request::PURGE),
        ("budget", budget::FOUND),
        ("new budget", budget::NEW),
        ("save a budget", budget::SAVE),
        ("lapsed entries", budget_entry::LAPSED),
        ("remove lapsed entries", budget_entry::SWEEP),
        ("entries that leave first", budget_entry::LEAVING),
        ("entries", budget_entry::ALL),
        ("remove all entries", budget_entry::CLEAR),
        ("tenants with budgets", reconciliation::TENANTS),
    ];
    let mut about_customers: Vec<(&'static str, String)> = vec![
        ("consent records", consent::latest(dialect)),
        ("proof of consent", consent::received(dialect)),
        ("contacts", contact::newest(dialect)),
    ];
    about_customers.extend(fixed.map(|(name, text)| (name, text.to_owned())));
    for (name, texts) in [
        ("entries of contacts", &*budget_entry::PRESENT),
        ("remove entries", &*budget_entry::REMOVE),
        ("add entries", &*budget_entry::ADD),
    ] {
        about_customers.extend(both(texts, dialect).map(|text| (name, text)));
    }
    let known = known::statements(dialect).iter();
    about_customers.extend(known.map(|text| ("customers", text.to_string())));
    about_customers.extend(write::statements(dialect));
    let scans = budget_entry::COUNTING.map(|(state, instant)| {
        let why = "a new budget counts the contacts of all customers";
        Statement::new("contacts that count", budget_entry::scanned(dialect, state, instant))
            .scan(why)
    });
    let ended = ended::statements().map(|(name, text)| {
        Statement::new(name, text).scan("how many slots lapse is a figure of all customers")
    });
    let why = "old answers of all customers are removed by age";
    let old = Statement::new("old answers", request::OLD).scan(why);
    let named = about_customers.into_iter().map(|(name, text)| Statement::new(name, text));
    let others = feed::statements(dialect).into_iter().chain(retention::statements());
    named.chain(scans).chain(ended).chain([old]).chain(others).collect()
}

/// The texts for one row and for several.
fn both(texts: &Texts, dialect: Dialect) -> [String; 2] {
    [Count::One, Count::Many].map(|count| texts.get(dialect, count).to_owned())
}
