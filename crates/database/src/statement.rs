//! Texts of statements that a service lists, so that a test can read all of them.

use std::borrow::Cow;

/// The text of a statement, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it is for, in a few words.
    pub name: &'static str,
    /// Its text.
    pub text: Cow<'static, str>,
    /// Why it reads rows of all customers; none when it names the customers it is about.
    pub scan: Option<&'static str>,
}

impl Statement {
    /// A statement about customers that it names, or about none.
    pub fn new(name: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { name, text: text.into(), scan: None }
    }

    /// Name, text and reason of a scan, as `testkit` checks them.
    pub fn listed(&self) -> (&str, &str, Option<&str>) {
        (self.name, &self.text, self.scan)
    }

    /// Says why the statement does not name the customers it is about.
    pub fn scan(mut self, why: &'static str) -> Self {
        self.scan = Some(why);
        self
    }
}
