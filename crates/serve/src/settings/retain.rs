//! How long rows are kept.

use std::fmt;

/// Kinds of rows that may be deleted by age.
const KINDS: [&str; 3] = ["decisions", "outcomes", "contacts"];
/// Fewest days: a row this old has been answered, delivered and settled.
const DAYS_MIN: u32 = 8;
/// Most days: a hundred years.
const DAYS_MAX: u32 = 36_500;

/// How long rows of a kind are kept: for ever unless a tenant or all have a limit.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RetentionSettings {
    /// Days after which rows of a kind are deleted: `decisions=400`, `outcomes=800` or
    /// `contacts=400`, for one tenant `shop/decisions=90`. Repeat the flag or separate by commas.
    /// Rows without a limit are kept for ever.
    #[arg(long = "retain", env = "PROFFER_RETAIN", value_delimiter = ',', value_parser = limit,
        value_name = "[TENANT/]KIND=DAYS")]
    pub limits: Vec<RetentionLimit>,
}

impl RetentionSettings {
    /// The days for which rows of `kind` are kept for a tenant; `None` keeps them for ever. A limit
    /// of the tenant wins over that of all, and of two the last.
    pub fn days(&self, tenant: &str, kind: &str) -> Option<u32> {
        let of_kind = || self.limits.iter().rev().filter(|limit| limit.kind == kind);
        let own = of_kind().find(|limit| limit.tenant.as_deref() == Some(tenant));
        own.or_else(|| of_kind().find(|limit| limit.tenant.is_none())).map(|limit| limit.days)
    }
}

/// The limit of one kind, for one tenant or for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionLimit {
    tenant: Option<String>,
    kind: String,
    days: u32,
}

impl fmt::Display for RetentionLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, kind, days } = self;
        match tenant {
            Some(tenant) => write!(f, "{tenant}/{kind}={days}"),
            None => write!(f, "{kind}={days}"),
        }
    }
}

/// Reads a limit such as `decisions=400` or `shop/decisions=90`.
pub fn limit(text: &str) -> Result<RetentionLimit, String> {
    let example = "write for example decisions=400, or shop/decisions=90 for one tenant";
    let (name, days) = text.split_once('=').ok_or_else(|| example.to_owned())?;
    let (tenant, kind) = match name.split_once('/') {
        Some((tenant, kind)) => (Some(tenant.trim().to_owned()), kind),
        None => (None, name),
    };
    let kind = kind.trim();
    if !KINDS.contains(&kind) {
        return Err(format!("`{kind}` is none of {}; {example}", KINDS.join(", ")));
    }
    if tenant.as_deref() == Some("") {
        return Err(example.to_owned());
    }
    let days = days.trim().parse().ok().filter(|days| (DAYS_MIN..=DAYS_MAX).contains(days));
    let days = days.ok_or_else(|| format!("the days must be {DAYS_MIN} to {DAYS_MAX}"))?;
    Ok(RetentionLimit { tenant, kind: kind.to_owned(), days })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(texts: &[&str]) -> RetentionSettings {
        RetentionSettings { limits: texts.iter().map(|text| limit(text).unwrap()).collect() }
    }

    #[test]
    fn rows_are_kept_for_ever_unless_a_limit_says_otherwise() {
        assert_eq!(settings(&[]).days("shop", "decisions"), None);
        let some = settings(&["decisions=400", "shop/decisions=90", "shop/outcomes=800"]);
        assert_eq!(some.days("shop", "decisions"), Some(90));
        assert_eq!(some.days("other", "decisions"), Some(400));
        assert_eq!(some.days("shop", "outcomes"), Some(800));
        assert_eq!(some.days("other", "outcomes"), None);
        assert_eq!(settings(&["decisions=9", "decisions=10"]).days("a", "decisions"), Some(10));
    }

    #[test]
    fn a_wrong_limit_says_what_would_be_right() {
        for (wrong, expected) in [
            ("decisions", "write for example decisions=400"),
            ("/decisions=90", "write for example decisions=400"),
            ("records=90", "`records` is none of decisions, outcomes, contacts"),
            ("decisions=7", "the days must be 8 to 36500"),
            ("decisions=36501", "the days must be 8 to 36500"),
            ("decisions=90d", "the days must be 8 to 36500"),
        ] {
            let fault = limit(wrong).unwrap_err();
            assert!(fault.starts_with(expected), "{wrong}: {fault}");
        }
    }
}
