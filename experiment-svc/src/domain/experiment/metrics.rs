//! The metrics of an experiment: one decides, others are tested beside it.

use crate::domain::{
    Faults,
    measure::{Guardrail, Harm, Metric},
};

/// Most secondary metrics, and most guardrails.
pub const METRICS_MAX: usize = 10;
/// What every experiment measures.
const ALWAYS: [&str; 2] = ["conversion_rate", "revenue_per_customer"];

/// The metrics that an experiment counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Decides.
    pub primary: Metric,
    /// Tested together.
    pub secondary: Vec<Metric>,
    /// Each tested for harm.
    pub guardrails: Vec<Guardrail>,
}

impl Metrics {
    /// The metrics of these names, with defaults for what is left out. Faults go to `faults`.
    pub(super) fn parse(
        primary: &str,
        secondary: &[String],
        guardrails: &[String],
        faults: &mut Faults,
    ) -> Option<Self> {
        let primary = if primary.is_empty() { Metric::DEFAULT } else { primary };
        let primary =
            Metric::parse(primary).map_err(|fault| faults.push(("primary_metric", fault)));
        let secondary: Option<Vec<Metric>> =
            list("secondary_metrics", secondary, faults, Metric::parse);
        let guardrails = match guardrails {
            [] => Some(Self::default_guardrails(primary.as_ref().ok(), secondary.as_deref())),
            given => list("guardrail_metrics", given, faults, Guardrail::parse),
        };
        let (Ok(primary), Some(secondary), Some(guardrails)) = (primary, secondary, guardrails)
        else {
            return None;
        };
        if secondary.contains(&primary) {
            let message = format!("`{}` is the primary metric already", primary.name);
            faults.push(("secondary_metrics", message));
        }
        let is_other = |metric: &Metric| *metric == primary || secondary.contains(metric);
        if let Some(twice) = guardrails.iter().find(|guardrail| is_other(&guardrail.metric)) {
            let name = &twice.metric.name;
            let message = format!("`{name}` is a primary or secondary metric already");
            faults.push(("guardrail_metrics", message));
        }
        Some(Self { primary, secondary, guardrails })
    }

    /// The defaults that are not measured for something else.
    fn default_guardrails(
        primary: Option<&Metric>,
        secondary: Option<&[Metric]>,
    ) -> Vec<Guardrail> {
        let defaults = Guardrail::DEFAULT.iter().filter_map(|name| Guardrail::parse(name).ok());
        let is_other = |metric: &Metric| {
            primary == Some(metric) || secondary.is_some_and(|others| others.contains(metric))
        };
        defaults.filter(|guardrail| !is_other(&guardrail.metric)).collect()
    }

    /// With the default guardrails where there are none.
    #[must_use]
    pub fn guarded(mut self) -> Self {
        if self.guardrails.is_empty() {
            self.guardrails = Self::default_guardrails(Some(&self.primary), Some(&self.secondary));
        }
        self
    }

    /// True when other secondary metrics or guardrails are named than these.
    pub(super) fn is_other(&self, named: &[String], guarded: &[String]) -> bool {
        let secondary: Vec<_> = self.secondary.iter().map(|metric| metric.name.clone()).collect();
        let guardrails: Vec<_> = self.guardrails.iter().map(guardrail_text).collect();
        named != secondary || guarded != guardrails
    }

    /// All of them, the primary first; then those that every experiment counts.
    pub fn all(&self) -> Vec<Metric> {
        let guardrails = self.guardrails.iter().map(|guardrail| &guardrail.metric);
        let own = std::iter::once(&self.primary).chain(&self.secondary).chain(guardrails);
        let mut all: Vec<Metric> = own.cloned().collect();
        for always in ALWAYS.iter().filter_map(|name| Metric::parse(name).ok()) {
            if !all.contains(&always) {
                all.push(always);
            }
        }
        all
    }
}

/// A guardrail as callers write it: without a direction where that is the usual one.
pub fn guardrail_text(guardrail: &Guardrail) -> String {
    let name = &guardrail.metric.name;
    match Guardrail::parse(name) {
        Ok(usual) if usual.harm == guardrail.harm => name.clone(),
        _ if guardrail.harm == Harm::Up => format!("{name} up"),
        _ => format!("{name} down"),
    }
}

/// A metric, with or without more to it.
trait Named {
    fn name(&self) -> &str;
}

impl Named for Metric {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Guardrail {
    fn name(&self) -> &str {
        &self.metric.name
    }
}

fn list<T: Named>(
    field: &'static str,
    names: &[String],
    faults: &mut Faults,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<T>> {
    if names.len() > METRICS_MAX {
        let count = names.len();
        let message = format!("has {count} metrics, which exceeds the maximum {METRICS_MAX}");
        faults.push((field, message));
        return None;
    }
    let (mut metrics, before) = (Vec::<T>::new(), faults.len());
    for name in names {
        match parse(name) {
            Ok(metric) if metrics.iter().any(|other| other.name() == metric.name()) => {
                faults.push((field, format!("names `{}` twice", metric.name())));
            }
            Ok(metric) => metrics.push(metric),
            Err(fault) => faults.push((field, fault)),
        }
    }
    (faults.len() == before).then_some(metrics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_without_guardrails_get_the_default_ones_that_measure_nothing_else() {
        let of = |primary: &str| {
            let primary = Metric::parse(primary).unwrap();
            let metrics = Metrics { primary, secondary: Vec::new(), guardrails: Vec::new() };
            let guarded = metrics.guarded().guardrails;
            guarded.into_iter().map(|guardrail| guardrail.metric.name).collect::<Vec<_>>()
        };
        assert_eq!(of("conversion_rate"), Guardrail::DEFAULT);
        assert_eq!(of("outcome:opt_out"), ["outcome:complaint"]);
    }
}
