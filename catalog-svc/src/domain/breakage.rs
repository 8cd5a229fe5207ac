//! Finds the stored offers and categories that an edit of a schema or category breaks. The edit
//! succeeds and lists them as warnings.

use std::collections::BTreeMap;

use super::{
    catalogue::Catalogue,
    category::Category,
    check::{broken_offers, faulty_offers},
    offer::{Offer, OfferNames},
    resolve::{Resolver, Unresolved},
};

/// Most warnings of one answer.
pub const WARNINGS_MAX: usize = 50;

/// What an edit broke.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breakage {
    /// What decisions refuse from now on, and what dangles.
    pub warnings: Vec<String>,
    /// Computed fields elsewhere that would become part of a chain without end: the edit is
    /// refused.
    pub endless: Vec<String>,
}

/// What is broken after an edit that was not broken before; fields of the edited category are its
/// own faults.
pub fn breakage(
    before: &Catalogue,
    after: &Catalogue,
    offers: &[Offer],
    edited: Option<&str>,
) -> Breakage {
    let mut breakage = Breakage::default();
    let fields_before = broken_fields(before, offers);
    for ((category, field), fault) in broken_fields(after, offers) {
        if edited == Some(category) || fields_before.contains_key(&(category, field)) {
            continue;
        }
        let title = after
            .categories()
            .iter()
            .find(|other| other.id == category)
            .map_or("", |other| &other.name);
        let message =
            format!("computed field `{field}` of category `{title}`: {}", fault.message());
        if fault.is_too_long {
            breakage.endless.push(message)
        } else {
            breakage.warnings.push(message)
        }
    }
    let (offers_before, offers_after) =
        (broken_offers(before, offers), broken_offers(after, offers));
    for offer in offers {
        let id = offer.id.as_str();
        let named = offer.category_reference();
        if before.category(named).is_some() && after.category(named).is_none() {
            let category = &offer.category;
            breakage.warnings.push(format!(
                "offer `{id}` refers to category `{category}`, which no longer exists"
            ));
        }
        if let Some(reason) = offers_after.get(id).filter(|_| !offers_before.contains_key(id)) {
            breakage
                .warnings
                .push(format!("offer `{id}` is refused in decisions from now on: {reason}"));
        }
    }
    shorten(&mut breakage.warnings);
    breakage
}

/// What reads the metric of this key, itself or by way of computed fields, and misses it from now
/// on.
pub fn bereft(catalogue: &Catalogue, key: &str, offers: &[Offer]) -> Vec<String> {
    // What cannot be resolved without it reads it.
    let without = catalogue.without_metric(key);
    let sentence = |what: &str| {
        format!("{what} reads `metrics.{key}`, which is missing in decisions from now on")
    };
    let mut warnings = Vec::new();
    let fields_with = broken_fields(catalogue, offers);
    for (category, field) in broken_fields(&without, offers).into_keys() {
        if !fields_with.contains_key(&(category, field)) {
            let title = catalogue
                .categories()
                .iter()
                .find(|other| other.id == category)
                .map_or("", |other| &other.name);
            warnings.push(sentence(&format!("computed field `{field}` of category `{title}`")));
        }
    }
    let offers_with = faulty_offers(catalogue, offers);
    for id in faulty_offers(&without, offers).into_keys().filter(|id| !offers_with.contains_key(id))
    {
        warnings.push(sentence(&format!("offer `{id}`")));
    }
    shorten(&mut warnings);
    warnings
}

/// Keeps the first [`WARNINGS_MAX`] and says how many more there are.
pub fn shorten(warnings: &mut Vec<String>) {
    if warnings.len() > WARNINGS_MAX {
        let more = warnings.len() - (WARNINGS_MAX - 1);
        warnings.truncate(WARNINGS_MAX - 1);
        warnings.push(format!("and {more} more"));
    }
}

/// Every computed field that has no type, by category and name.
fn broken_fields<'c>(
    catalogue: &'c Catalogue,
    offers: &[Offer],
) -> BTreeMap<(&'c str, &'c str), Unresolved> {
    let mut offers_by_category: BTreeMap<usize, Vec<&Offer>> = BTreeMap::new();
    for offer in offers {
        if let Some(index) = catalogue.category(offer.category_reference()) {
            offers_by_category.entry(index).or_default().push(offer);
        }
    }
    let mut broken = BTreeMap::new();
    for (index, category) in catalogue.categories().iter().enumerate() {
        let names = OfferNames::together(offers_by_category.remove(&index).unwrap_or_default());
        for reading in catalogue.readings() {
            let found = broken_in(catalogue, &names, reading, index, category);
            let is_right = found.is_empty();
            if reading == 0 || is_right {
                broken.retain(|(id, _), _| *id != category.id.as_str());
                broken.extend(found);
            }
            if is_right {
                break;
            }
        }
    }
    broken
}

fn broken_in<'c>(
    catalogue: &'c Catalogue,
    names: &OfferNames,
    reading: usize,
    index: usize,
    category: &'c Category,
) -> BTreeMap<(&'c str, &'c str), Unresolved> {
    let mut resolver = Resolver::new(catalogue, names, reading);
    let fault = |field: &str| resolver.computed(index, field).err();
    let fields = category.computed_fields.iter().map(|field| field.name.as_str());
    let faults: Vec<_> = fields.clone().map(fault).collect();
    let keyed = fields
        .zip(faults)
        .filter_map(|(field, fault)| Some(((category.id.as_str(), field), fault?)));
    keyed.collect()
}

#[cfg(test)]
mod tests {
    use formula::rule::Operator;

    use super::*;
    use crate::domain::{
        schema::FieldType,
        testing::{
            apparel, category, customer, metric, number, offer, schema, text, truth, winback,
            winback_rules,
        },
    };

    fn check(after: &Catalogue, edited: Option<&str>, expected: &[&str]) {
        let offers = [
            offer("Apparel", winback_rules("apparel")),
            offer("Home", winback_rules("home")),
            offer("Garden", vec![text("primaryCategory", "garden")]),
        ];
        assert_eq!(breakage(&winback(), after, &offers, edited).warnings, expected);
    }

    #[test]
    fn a_removed_field_breaks_formulas_and_the_offers_that_need_them() {
        let mut schema = customer();
        schema.fields.remove("lifetimeRevenue");
        let after = winback().with_schema(schema);
        let fault = "formula `lifetimePurchases >= 3 && lifetimeRevenue >= 50`: `lifetimeRevenue` \
                     is declared nowhere; known are daysSinceLastPurchase, isRecoverable, \
                     consentEmail, lastPurchaseDate, lifetimePurchases, primaryCategory at column \
                     27";
        let needed = "qualification_rules[3].field: `isRecoverable` cannot be computed: \
                      `lifetimeRevenue` is declared nowhere; known are daysSinceLastPurchase, \
                      isRecoverable, consentEmail, lastPurchaseDate, lifetimePurchases, \
                      primaryCategory";
        check(
            &after,
            None,
            &[
                &format!("computed field `isRecoverable` of category `Apparel`: {fault}"),
                &format!("offer `off_apparel` is refused in decisions from now on: {needed}"),
                &format!("offer `off_home` is refused in decisions from now on: {needed}"),
            ],
        );
    }

    #[test]
    fn a_renamed_category_leaves_its_offers_behind() {
        let renamed = Category { name: "Clothes".into(), ..apparel() };
        let warning = "offer `off_apparel` refers to category `Apparel`, which no longer exists";
        check(&winback().with_category(renamed), Some("cat_apparel"), &[warning]);
    }

    #[test]
    fn an_edit_that_changes_nothing_for_others_warns_of_nothing() {
        let other = schema("Lead", &[("source", FieldType::String)]);
        check(&winback().with_schema(other), None, &[]);
        check(&winback().with_category(category("Toys", &[("age", "1")])), Some("cat_toys"), &[]);
    }

    /// A schema field hides a computed field of another category, and may have another type.
    #[test]
    fn an_added_field_can_break_an_offer_too() {
        let mut schema = customer();
        schema.fields.insert("isRecoverable".into(), FieldType::String);
        let warning = "offer `off_home` is refused in decisions from now on: \
                       qualification_rules[3].value: condition on `isRecoverable`: the field is a \
                       string and cannot be compared with the boolean true";
        check(&winback().with_schema(schema), None, &[warning]);
    }

    #[test]
    fn what_was_broken_before_is_not_told_again() {
        let broken = Catalogue::new(Vec::new(), vec![apparel()]);
        let after = broken.with_schema(schema("Lead", &[("source", FieldType::String)]));
        let offers = [offer("Apparel", winback_rules("apparel"))];
        assert_eq!(breakage(&broken, &after, &offers, None), Breakage::default());
    }

    #[test]
    fn an_edit_that_makes_a_chain_too_long_is_told_apart() {
        let link = |n: usize| {
            category(&format!("C{n}"), &[(&format!("x{n}"), &format!("x{} + 1", n + 1))])
        };
        let chain: Vec<_> = (0..64).map(link).collect();
        let end = |formula: &str| category("C64", &[("x64", formula)]);
        let rest = category("D", &[("y", "1")]);
        let before = Catalogue::new(Vec::new(), chain.into_iter().chain([rest]).collect());
        let before = before.with_category(end("1"));
        let found = breakage(&before, &before.with_category(end("y")), &[], Some("cat_c64"));
        assert_eq!(found.endless.len(), 1, "{found:?}");
    }

    #[test]
    fn a_metric_is_missed_by_what_reads_it_itself_or_by_way_of_others() {
        let lends = category("Toys", &[("isKeen", "metrics.clicks_7d > 3"), ("plain", "1")]);
        let catalogue = winback()
            .with_category(lends)
            .with_metrics(&[metric("clicks_7d", true), metric("spend", true)]);
        let offers = [
            Offer {
                id: "off_a".into(),
                ..offer("Apparel", vec![number("metrics.clicks_7d", Operator::Gte, 1.0)])
            },
            Offer { id: "off_b".into(), ..offer("Apparel", vec![truth("isKeen")]) },
            Offer {
                id: "off_c".into(),
                ..offer("Toys", vec![number("plain", Operator::Gte, 1.0)])
            },
            Offer {
                id: "off_d".into(),
                ..offer("Apparel", vec![number("metrics.spend", Operator::Gte, 1.0)])
            },
        ];
        let missing = "reads `metrics.clicks_7d`, which is missing in decisions from now on";
        let readers =
            ["computed field `isKeen` of category `Toys`", "offer `off_a`", "offer `off_b`"];
        assert_eq!(
            bereft(&catalogue, "clicks_7d", &offers),
            readers.map(|reader| format!("{reader} {missing}"))
        );
        assert_eq!(bereft(&catalogue, "unknown", &offers), [""; 0]);
    }

    #[test]
    fn many_warnings_are_counted() {
        let mut warnings: Vec<String> = (0..51).map(|n| n.to_string()).collect();
        shorten(&mut warnings);
        assert_eq!((warnings.len(), warnings[49].as_str()), (50, "and 2 more"));
    }
}
