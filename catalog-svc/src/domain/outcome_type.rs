//! Outcome types: the vocabulary of customer interactions.

/// The customer's sentiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Classification {
    Positive,
    Negative,
    Neutral,
}

/// Kind of interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeCategory {
    /// The customer was exposed to the recommendation.
    Impression,
    /// The customer acted in response to it.
    Response,
}

/// One that every tenant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of the resource")]
pub struct SystemType {
    pub key: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub classification: Classification,
    pub category: OutcomeCategory,
}

/// The custom key that by default is no contact although it is an impression: the customer never
/// saw the offer.
const NEVER_SEEN: &str = "expired";

use Classification::{Negative, Neutral, Positive};
use OutcomeCategory::{Impression, Response};

/// The ten that every tenant has, in the order in which they are listed.
pub const SYSTEM_TYPES: [SystemType; 10] = [
    system(
        "impression",
        "Impression",
        "Customer was shown the recommendation",
        Neutral,
        Impression,
    ),
    system("click", "Click", "Customer clicked on the recommendation", Positive, Response),
    system(
        "conversion",
        "Conversion",
        "Customer took the offer: bought, signed up or completed the goal",
        Positive,
        Response,
    ),
    system(
        "not_interested",
        "Not Interested",
        "Customer said that the recommendation does not interest them",
        Negative,
        Response,
    ),
    system("opt_out", "Opt Out", "Customer asked not to be contacted any more", Negative, Response),
    system("defer", "Defer", "Customer put the recommendation off until later", Neutral, Response),
    system(
        "dismiss",
        "Dismiss",
        "Customer closed the recommendation without acting on it",
        Negative,
        Response,
    ),
    system(
        "share",
        "Share",
        "Customer shared the recommendation with somebody else",
        Positive,
        Response,
    ),
    system(
        "save",
        "Save",
        "Customer saved the recommendation to come back to it",
        Positive,
        Response,
    ),
    system(
        "complaint",
        "Complaint",
        "Customer complained about the recommendation or the contact",
        Negative,
        Response,
    ),
];

const fn system(
    key: &'static str,
    name: &'static str,
    description: &'static str,
    classification: Classification,
    category: OutcomeCategory,
) -> SystemType {
    SystemType { key, name, description, classification, category }
}

/// Whether outcomes of a type are contacts by default: impressions are, except one that no customer
/// saw.
pub fn counts_as_contact(key: &str, category: OutcomeCategory) -> bool {
    category == Impression && key != NEVER_SEEN
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the product's documentation.
    #[test]
    fn the_ten_are_the_documented_ones() {
        let documented = "\
            impression Impression neutral impression\n\
            click Click positive response\n\
            conversion Conversion positive response\n\
            not_interested Not Interested negative response\n\
            opt_out Opt Out negative response\n\
            defer Defer neutral response\n\
            dismiss Dismiss negative response\n\
            share Share positive response\n\
            save Save positive response\n\
            complaint Complaint negative response";
        let line = |system: &SystemType| {
            let (classification, category) =
                (format!("{:?}", system.classification), format!("{:?}", system.category));
            format!(
                "{} {} {} {}",
                system.key,
                system.name,
                classification.to_lowercase(),
                category.to_lowercase()
            )
        };
        assert_eq!(SYSTEM_TYPES.iter().map(line).collect::<Vec<_>>().join("\n"), documented);
    }

    #[test]
    fn only_a_seen_impression_is_a_contact_by_default() {
        let check = |key: &str, category, expected| {
            assert_eq!(counts_as_contact(key, category), expected, "{key}")
        };
        check("impression", Impression, true);
        check("banner_seen", Impression, true);
        check("expired", Impression, false);
        check("click", Response, false);
    }
}
