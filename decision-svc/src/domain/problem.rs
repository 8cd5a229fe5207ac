//! References to resources that do not exist, and what each of them switches off.

use wire::named::{
    CATEGORY, CHANNEL, FIELD, FLOW, MODEL, OFFER, OUTCOME_TYPE, PLACEMENT, SCHEMA, SUBCATEGORY,
    WEIGHT_PROFILE,
};

/// A reference that means nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Kind of the resource that refers.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Kind of what it refers to.
    pub refers_to: String,
    /// What it refers to, as it was written.
    pub named: String,
    /// The id that was bound and is deleted; empty when there never was one.
    pub deleted_id: String,
    /// A near name, as a message adds it.
    pub hint: String,
}

impl Problem {
    /// What is wrong and what it switches off.
    pub fn message(&self) -> String {
        let (kind, refers_to) = (spoken(&self.kind), spoken(&self.refers_to));
        let (id, named) = (&self.id, wire::text::quoted(&self.named));
        let fate = if self.deleted_id.is_empty() { "does not exist" } else { "was deleted" };
        let effect = match (&*self.kind, self.deleted_id.is_empty()) {
            ("contact_policy", false) => "this part of the policy has no effect",
            _ => effect(&self.kind, &self.refers_to),
        };
        let hint = &self.hint;
        format!("{kind} `{id}` refers to {refers_to} `{named}`, which {fate}{hint}: {effect}")
    }
}

fn spoken(kind: &str) -> String {
    match kind {
        FIELD => "customer field".to_owned(),
        other => other.replace('_', " "),
    }
}

/// What a reference of one kind to another that means nothing switches off.
fn effect(kind: &str, refers_to: &str) -> &'static str {
    match (kind, refers_to) {
        ("contact_policy", OUTCOME_TYPE) => "no outcome of that type makes the policy refuse",
        ("contact_policy", FIELD) => "the policy refuses every customer in its scope",
        ("contact_policy", CHANNEL) => "the policy has no effect on a channel of that name",
        ("contact_policy", CATEGORY | OFFER | SUBCATEGORY) => {
            "the policy counts and refuses only what has exactly that name"
        }
        ("settings", FIELD) => {
            "every customer's country is unknown, so all legal quiet hours apply to everybody"
        }
        ("channel", FIELD) => "the zone or the consent of customers is unknown",
        ("experiment", FLOW) => "nobody is held out",
        (FLOW, CATEGORY) => "only offers whose category has exactly that name are considered",
        (FLOW, SCHEMA) => "no customer has a record",
        (FLOW, MODEL) => "every propensity is 0.5",
        (FLOW, WEIGHT_PROFILE) => "the rank uses the default weights",
        (OFFER, CATEGORY) => "the offer has no computed fields of its own",
        ("creative", _) => "the creative is not used there",
        (PLACEMENT, CHANNEL) => "no effect: the channel of a placement is only a label",
        ("behavioral_metric", OUTCOME_TYPE) => "the metric counts nothing",
        _ => "it is not used",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_it_switches_off() {
        let policy = Problem {
            kind: "contact_policy".into(),
            id: "pol_rest".into(),
            refers_to: OUTCOME_TYPE.into(),
            named: "complaints".into(),
            hint: "; did you mean `complaint`?".into(),
            ..Problem::default()
        };
        assert_eq!(
            policy.message(),
            "contact policy `pol_rest` refers to outcome type `complaints`, which does not exist; \
             did you mean `complaint`?: no outcome of that type makes the policy refuse"
        );
        let experiment = Problem {
            kind: "experiment".into(),
            id: "exp_1".into(),
            refers_to: FLOW.into(),
            named: "Winback".into(),
            deleted_id: "flow_winback".into(),
            ..Problem::default()
        };
        assert_eq!(
            experiment.message(),
            "experiment `exp_1` refers to decision flow `Winback`, which was deleted: nobody is \
             held out"
        );
    }
}
