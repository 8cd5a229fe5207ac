//! Categories and their computed fields.

use proffer_proto::{
    catalog::v1::{
        Category, ComputedField, FieldType, GetCategoryRequest, Offer, Operator, OutputType,
    },
    values::v1::{Reference, ResourceStatus},
};

use crate::{
    seed::{apparel, prepare, winback_offer},
    support::{
        CUSTOMER_FIELDS, boolean, category, condition, faults, integer, offer, on_both, on_sqlite,
        schema, text, with_categories_max,
    },
};

const OWN: OutputType = OutputType::Unspecified;

#[tokio::test(flavor = "multi_thread")]
async fn one_more_category_than_a_tenant_may_have_is_refused() {
    let catalog = with_categories_max(2).await;
    for name in ["Apparel", "Shoes"] {
        catalog.create_category(category(name, &[])).await.unwrap();
    }
    let refused = catalog.create_category(category("Toys", &[])).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    let expected = "the tenant has 2 of kind category, which is the maximum; delete one first";
    assert_eq!(refused.message(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_formula_is_told_with_its_place() {
    let catalog = on_sqlite().await;
    catalog.create_schema(schema("Customer", &CUSTOMER_FIELDS)).await.unwrap();
    let wrong = category(
        "Apparel",
        &[
            ("a", "round(1", OWN),
            ("b", "lifetimePurchases + primaryCategory", OWN),
            ("c", "lifetimeRevenu >= 50", OWN),
            ("d", "1 > 2", OutputType::Date),
            ("e", "f + 1", OWN),
            ("f", "e + 1", OWN),
            ("g", "metrics.clicks > 1", OWN),
        ],
    );
    assert_eq!(
        faults(catalog.create_category(wrong).await),
        [
            "category.computed_fields[0].formula formula `round(1`: expected `)` or `,` at column \
             8",
            "category.computed_fields[1].formula formula `lifetimePurchases + primaryCategory`: \
             `+` cannot take a number and a string at column 19",
            "category.computed_fields[2].formula formula `lifetimeRevenu >= 50`: `lifetimeRevenu` \
             is declared nowhere; did you mean `lifetimeRevenue`? at column 1",
            "category.computed_fields[3].formula the formula gives a boolean, which is not a date",
            "category.computed_fields[5].formula formula `e + 1`: computed fields read each other: \
             e -> f -> e at column 1",
            "category.computed_fields[6].formula formula `metrics.clicks > 1`: `metrics.clicks` is \
             not a behavioral metric at column 1",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_types_of_computed_fields_are_checked() {
    let catalog = on_sqlite().await;
    let mut wrong = category("", &[("a", "1", OWN), ("a", "2", OWN), ("b c", "", OWN)]);
    wrong.computed_fields.push(ComputedField {
        name: "d".into(),
        formula: "1".into(),
        output_type: 99,
    });
    assert_eq!(
        faults(catalog.create_category(wrong).await),
        [
            "category.name is required",
            "category.computed_fields[3].output_type must be one of integer, number, decimal, \
             boolean, string, text, date",
            "category.computed_fields[1].name `a` is used twice",
            "category.computed_fields[2].name `b c` must match [A-Za-z_][A-Za-z0-9_]{0,62}",
            "category.computed_fields[2].formula is required",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_through_another_category_is_refused() {
    let catalog = on_sqlite().await;
    catalog.create_category(category("B", &[("b", "1", OWN)])).await.unwrap();
    catalog.create_category(category("A", &[("a", "b + 1", OWN)])).await.unwrap();
    let cycle = category("", &[("b", "a + 1", OWN)]);
    assert_eq!(
        faults(catalog.update_category("B", cycle, &["computed_fields"]).await),
        ["category.computed_fields[0].formula formula `a + 1`: `a` cannot be computed: computed \
          fields read each other: b -> a -> b at column 1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_breaks_a_stored_offer_succeeds_and_names_it() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        for name in ["Apparel", "Home"] {
            catalog.create_offer(winback_offer(name, name, "x", [1.0; 3])).await.unwrap();
        }
        let mut edited = apparel();
        edited.computed_fields[1].name = "isWorthIt".into();
        let updated =
            catalog.update_category("Apparel", edited, &["computed_fields"]).await.unwrap();
        let warning = |id: &str| {
            format!(
                "offer `{id}` is refused in decisions from now on: qualification_rules[3].field: \
                 `isRecoverable` is declared nowhere; known are daysSinceLastPurchase, isWorthIt, \
                 consentEmail, consentSMS, lastPurchaseDate, lifetimePurchases, lifetimeRevenue, \
                 preferredChannel"
            )
        };
        assert_eq!(updated.warnings, [warning("off_apparel"), warning("off_home")]);
        let request = GetCategoryRequest { id: "Apparel".into() };
        let read = catalog
            .categories()
            .get_category(request)
            .await
            .unwrap()
            .into_inner()
            .category
            .unwrap();
        assert_eq!(read.warnings, [""; 0]);
        let mended =
            catalog.update_category("Apparel", apparel(), &["computed_fields"]).await.unwrap();
        assert_eq!(mended.warnings, [""; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_category_leaves_no_offer_behind_and_a_new_one_inherits_none() {
    let catalog = on_sqlite().await;
    prepare(&catalog).await;
    let rule = || vec![condition("isRecoverable", Operator::Eq, boolean(true))];
    let created = catalog.create_offer(offer("By name", "apparel", rule())).await.unwrap();
    let bound =
        Reference { kind: "category".into(), named: "apparel".into(), id: "cat_apparel".into() };
    assert_eq!(created.references, std::slice::from_ref(&bound));
    let renamed = Category { name: "Clothes".into(), ..Default::default() };
    let updated = catalog.update_category("Apparel", renamed, &["name"]).await.unwrap();
    assert_eq!(updated.warnings, [""; 0]);
    let other = Category { name: "Apparel".into(), ..Default::default() };
    catalog.create_category(other).await.unwrap();
    // Its rule still reads a computed field of the category it was written in.
    let patch = Offer { description: "As before".into(), ..Default::default() };
    let again = catalog.update_offer("off_by_name", patch, &["description"]).await.unwrap();
    assert_eq!((again.references, again.warnings), (vec![bound], Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn categories_may_lend_the_same_name_when_types_agree() {
    let catalog = on_sqlite().await;
    for (name, formula) in [("A", "1"), ("B", "2"), ("C", "'c'")] {
        let field = if name == "C" { "y" } else { "x" };
        catalog.create_category(category(name, &[(field, formula, OWN)])).await.unwrap();
    }
    let uses = |rule| offer("Lone", "Nowhere", vec![rule]);
    let created =
        catalog.create_offer(uses(condition("x", Operator::Gt, integer(0)))).await.unwrap();
    let differently =
        "`x` is computed differently in categories `A` and `B`: a flow with both refuses the offer";
    assert!(
        created.warnings.iter().any(|warning| warning == differently),
        "{:?}",
        created.warnings
    );
    let broke = catalog
        .update_category("C", category("", &[("x", "'c'", OWN)]), &["computed_fields"])
        .await
        .unwrap();
    assert_eq!(broke.warnings.len(), 1);
    assert!(
        broke.warnings[0].starts_with("offer `off_lone` is refused in decisions from now on"),
        "{:?}",
        broke.warnings
    );
    assert_eq!(
        faults(
            catalog
                .create_offer(offer(
                    "Other",
                    "Nowhere",
                    vec![condition("x", Operator::Gt, integer(0))]
                ))
                .await
        ),
        ["offer.qualification_rules[0].field `x` is a number in category `A` and a string in \
          category `C`: give one of them another name"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_category_warns_its_offers() {
    let catalog = on_sqlite().await;
    prepare(&catalog).await;
    let paused = Category { status: ResourceStatus::Paused.into(), ..Default::default() };
    catalog.update_category("Apparel", paused, &["status"]).await.unwrap();
    let rules = vec![condition("isRecoverable", Operator::Eq, boolean(true))];
    let created = catalog.create_offer(offer("X", "Apparel", rules)).await.unwrap();
    assert_eq!(
        created.warnings,
        ["category `Apparel` is not active: its computed fields have no value in decisions"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_any_schema_is_declared() {
    let catalog = on_sqlite().await;
    catalog.create_schema(schema("Lead", &[("source", FieldType::String)])).await.unwrap();
    catalog.create_schema(schema("Customer", &[("source", FieldType::Integer)])).await.unwrap();
    for (n, value) in [text("web"), integer(1)].into_iter().enumerate() {
        let rules = vec![condition("source", Operator::Eq, value)];
        catalog.create_offer(offer(&format!("X{n}"), "Apparel", rules)).await.unwrap();
    }
}
