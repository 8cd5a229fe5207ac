//! Offers and their rules.

use proffer_proto::catalog::v1::{GetOfferRequest, Offer, Operator, Rule};

use crate::{
    seed::prepare,
    support::{
        Catalog, affinity, all, any, boolean, condition, decimal, double, faults, integer, list,
        not, null, offer, on_both, on_sqlite, text,
    },
};

async fn check(catalog: &Catalog, rules: Vec<Rule>, expected: &[&str]) {
    let created = catalog.create_offer(offer("X", "Apparel", rules)).await;
    match expected {
        [] => {
            let id = created.unwrap().id;
            let request =
                proffer_proto::catalog::v1::DeleteOfferRequest { id, etag: String::new() };
            catalog.offers().delete_offer(request).await.unwrap();
        }
        _ => assert_eq!(faults(created), expected),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operator_is_taken_where_it_fits() {
    use Operator::*;
    let catalog = on_sqlite().await;
    prepare(&catalog).await;
    let words = || list(vec![text("a"), text("b")]);
    let right = vec![
        condition("primaryCategory", Eq, text("apparel")),
        condition("lifetimePurchases", Neq, integer(1)),
        condition("lifetimeRevenue", Gt, decimal("19.90")),
        condition("lastPurchaseDate", Gte, text("2026-01-01")),
        condition("daysSinceLastPurchase", Lt, double(1.5)),
        condition("primaryCategory", Lte, text("m")),
        condition("primaryCategory", In, words()),
        condition("primaryCategory", NotIn, words()),
        condition("primaryCategory", Contains, text("a")),
        condition("primaryCategory", NotContains, text("a")),
        condition("primaryCategory", StartsWith, text("a")),
        condition("primaryCategory", EndsWith, text("a")),
        condition("primaryCategory", Matches, text("^a.*$")),
        condition("timezone", Exists, None),
        condition("timezone", NotExists, None),
        all(vec![any(vec![not(condition("attributes.tier", Eq, text("gold")))])]),
        condition("customer.consentEmail", Eq, boolean(true)),
        condition("offer.priority", Gte, integer(0)),
    ];
    check(&catalog, right, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_rules_is_told_with_its_place() {
    let catalog = on_sqlite().await;
    prepare(&catalog).await;
    let wrong = vec![
        condition("daysSinceLastPurchas", Operator::Gte, integer(90)),
        condition("primaryCategory", Operator::Unspecified, text("x")),
        any(vec![
            condition("isRecoverable", Operator::Gt, boolean(true)),
            not(condition("lifetimePurchases", Operator::Eq, text("3"))),
            condition("primaryCategory", Operator::Matches, text("(")),
        ]),
        Rule { kind: None },
        all(vec![]),
        condition("primaryCategory", Operator::In, list(vec![text("a"), null()])),
        condition("metrics.clicks", Operator::Gt, integer(1)),
        condition("timezone", Operator::Exists, boolean(true)),
        condition("customer.nope", Operator::Exists, None),
    ];
    let known = "consentEmail, consentSMS, lastPurchaseDate, lifetimePurchases, lifetimeRevenue, \
                 preferredChannel, primaryCategory, timezone";
    check(
        &catalog,
        wrong,
        &[
            "offer.qualification_rules[1].op is required: one of ==, !=, >, >=, <, <=, in, not_in, \
             contains, not_contains, starts_with, ends_with, matches, exists, not_exists",
            "offer.qualification_rules[5].value must not contain null",
            "offer.qualification_rules[4].all has 0 rules; it must have 1 to 100",
            "offer.qualification_rules[0].field `daysSinceLastPurchas` is declared nowhere; did \
             you mean `daysSinceLastPurchase`?",
            "offer.qualification_rules[2].any[0].op condition on `isRecoverable`: operator `>` \
             needs a field with an order, and this is a boolean",
            "offer.qualification_rules[2].any[1].not.value condition on `lifetimePurchases`: the \
             field is a number and cannot be compared with the string `3`",
            "offer.qualification_rules[2].any[2].value condition on `primaryCategory`: `(` is not \
             a regular expression",
            "offer.qualification_rules[3].field is required",
            "offer.qualification_rules[6].field `metrics.clicks` is not a behavioral metric",
            "offer.qualification_rules[7].value condition on `timezone`: operator `exists` takes \
             no value",
            &format!(
                "offer.qualification_rules[8].field `customer.nope` is not a field of any schema; \
                 known are {known}"
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_eight_levels_deep_at_most_and_a_hundred_conditions() {
    let catalog = on_sqlite().await;
    prepare(&catalog).await;
    let one = || condition("timezone", Operator::Exists, None);
    let deep = |depth: usize| (0..depth).fold(one(), |rule, _| not(rule));
    check(&catalog, vec![deep(8)], &[]).await;
    let path = ".not".repeat(9);
    let fault = format!("offer.qualification_rules[0]{path} is nested deeper than the maximum 8");
    check(&catalog, vec![deep(9)], &[&fault]).await;
    check(&catalog, vec![all(vec![one(); 50]), any(vec![one(); 50])], &[]).await;
    let fault = "offer.qualification_rules has 101 conditions, which exceeds the maximum 100";
    check(&catalog, vec![all(vec![one(); 50]), any(vec![one(); 50]), one()], &[fault]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scales_words_affinities_and_custom_fields_are_checked() {
    let catalog = on_sqlite().await;
    prepare(&catalog).await;
    let mut wrong = Offer {
        priority: Some(100.5),
        business_value: Some(f64::NAN),
        margin: Some(-0.1),
        subcategory: "a\u{1}".into(),
        status: 12,
        affinities: vec![affinity("primaryCategory", integer(1)), affinity("timezone", null())],
        ..offer("", " ", vec![])
    };
    wrong.custom_fields.insert("priority".into(), integer(1));
    wrong.custom_fields.insert("none".into(), null());
    assert_eq!(
        faults(catalog.create_offer(wrong).await),
        [
            "offer.name is required",
            "offer.status must be one of active, draft, paused, archived",
            "offer.category is required: the name or id of a category",
            "offer.subcategory must not contain control characters",
            "offer.priority is 100.5; it must be 0 to 100",
            "offer.business_value is NaN; it must be 0 to 100",
            "offer.margin is -0.1; it must be 0 to 100",
            "offer.affinities[1].value is required",
            "offer.custom_fields.none must not be null: leave the field out",
            "offer.custom_fields.priority `priority` is taken: every offer has it",
            "offer.affinities[0].value condition on `primaryCategory`: the field is a string and \
             cannot be compared with the number 1",
        ]
    );
    let twenty = vec![affinity("timezone", text("UTC")); 20];
    let mut right = Offer {
        affinities: twenty.clone(),
        margin: Some(0.0),
        priority: Some(100.0),
        ..offer("R", "X", vec![])
    };
    right.custom_fields.insert("tags".into(), list(vec![text("a")]));
    catalog.create_offer(right).await.unwrap();
    let beyond = Offer {
        affinities: [twenty, vec![affinity("timezone", text("UTC"))]].concat(),
        ..offer("S", "X", vec![])
    };
    assert_eq!(
        faults(catalog.create_offer(beyond).await),
        ["offer.affinities has 21, which exceeds the maximum 20"]
    );
}

/// decision-svc reads decimals without an exponent.
#[tokio::test(flavor = "multi_thread")]
async fn decimals_are_stored_plainly() {
    let catalog = on_sqlite().await;
    prepare(&catalog).await;
    let rules = vec![
        not(condition("lifetimeRevenue", Operator::Gt, decimal("1e3"))),
        condition("lifetimeRevenue", Operator::In, list(vec![decimal("25e-1")])),
    ];
    let mut given = Offer {
        affinities: vec![affinity("lifetimeRevenue", decimal("1E2"))],
        ..offer("X", "Apparel", rules)
    };
    given.custom_fields.insert("weight".into(), decimal("007.50"));
    let stored = catalog.create_offer(given).await.unwrap();
    let expected = vec![
        not(condition("lifetimeRevenue", Operator::Gt, decimal("1000"))),
        condition("lifetimeRevenue", Operator::In, list(vec![decimal("2.5")])),
    ];
    assert_eq!(stored.qualification_rules, expected);
    assert_eq!(stored.affinities, [affinity("lifetimeRevenue", decimal("100"))]);
    assert_eq!(stored.custom_fields["weight"], decimal("7.50"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cost_is_kept_exactly_and_may_be_left_out_or_taken_away() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        let priced =
            |name: &str, cost| Offer { cost: Some(cost), ..offer(name, "Apparel", vec![]) };
        let cheap = catalog.create_offer(priced("Cheap", double(0.05))).await.unwrap();
        assert_eq!(cheap.cost, Some(decimal("0.05")));
        let dear = catalog.create_offer(priced("Dear", text("999999999.9999"))).await.unwrap();
        assert_eq!(dear.cost, Some(decimal("999999999.9999")));
        assert_eq!(catalog.create_offer(priced("Unknown", null())).await.unwrap().cost, None);
        let read = catalog
            .offers()
            .get_offer(GetOfferRequest { id: "cheap".into() })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(read.offer.unwrap().cost, Some(decimal("0.05")));
        let patch = Offer { cost: Some(integer(2)), ..Default::default() };
        assert_eq!(
            catalog.update_offer("cheap", patch, &["cost"]).await.unwrap().cost,
            Some(decimal("2"))
        );
        let patch = Offer { priority: Some(1.0), ..Default::default() };
        assert_eq!(
            catalog.update_offer("cheap", patch, &["priority"]).await.unwrap().cost,
            Some(decimal("2"))
        );
        assert_eq!(
            catalog.update_offer("cheap", Offer::default(), &["cost"]).await.unwrap().cost,
            None
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_cost_is_told_beside_the_other_faults() {
    let catalog = on_sqlite().await;
    let check = async |cost, fault: &str| {
        let wrong =
            Offer { cost: Some(cost), margin: Some(101.0), ..offer("X", "Apparel", vec![]) };
        let told = faults(catalog.create_offer(wrong).await);
        assert_eq!(told, [fault, "offer.margin is 101; it must be 0 to 100"]);
    };
    check(decimal("0.00001"), "offer.cost is 0.00001; it may have at most 4 decimals").await;
    check(integer(-1), "offer.cost is -1; it must be 0 to 1000000000").await;
    check(decimal("1000000000.0001"), "offer.cost is 1000000000.0001; it must be 0 to 1000000000")
        .await;
    check(text("cheap"), "offer.cost `cheap` is not a decimal number").await;
    check(boolean(true), "offer.cost must be a decimal number, not the boolean true").await;
    check(list(vec![]), "offer.cost must be a decimal number, not a list").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offers_own_fields_are_known_to_its_rules() {
    let catalog = on_sqlite().await;
    let rule = |field: &str, value| condition(field, Operator::Eq, value);
    let rules = vec![
        rule("tier", text("gold")),
        rule("offer.tier", text("gold")),
        rule("offer.margin", integer(5)),
    ];
    let mut gold = Offer { margin: Some(5.0), ..offer("Gold", "Apparel", rules) };
    gold.custom_fields.insert("tier".into(), text("gold"));
    catalog.create_offer(gold.clone()).await.unwrap();
    let bare =
        Offer { name: "Bare".into(), margin: None, custom_fields: Default::default(), ..gold };
    assert_eq!(
        faults(catalog.create_offer(bare).await),
        [
            "offer.qualification_rules[0].field `tier` is declared nowhere",
            "offer.qualification_rules[1].field `offer.tier` is not a field of the offer; known \
             are id, name, category, subcategory, priority, businessValue, margin",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_margin_left_out_can_be_asked_for() {
    let catalog = on_sqlite().await;
    let rule = condition("offer.margin", Operator::NotExists, None);
    let without = Offer { margin: None, ..offer("Bare", "Apparel", vec![rule.clone()]) };
    let warned = catalog.create_offer(without).await.unwrap();
    let warning = "`offer.margin` has no value: conditions on it fail, except `not_exists`";
    assert!(warned.warnings.iter().any(|it| it.contains(warning)), "{:?}", warned.warnings);
    let with = Offer { margin: Some(5.0), ..offer("Rich", "Apparel", vec![rule]) };
    let told = catalog.create_offer(with).await.unwrap();
    assert!(!told.warnings.iter().any(|it| it.contains("margin")), "{:?}", told.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_changes_the_fields_of_its_mask_and_checks_the_whole() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        let rules = vec![condition("isRecoverable", Operator::Eq, boolean(true))];
        let created = catalog
            .create_offer(Offer { priority: Some(70.0), ..offer("Home", "Home", rules) })
            .await
            .unwrap();
        assert_eq!(created.warnings.len(), 1);
        let moved = Offer { category: "Apparel".into(), ..Default::default() };
        let updated = catalog.update_offer("home", moved, &["category", "priority"]).await.unwrap();
        assert_eq!(
            (updated.category.as_str(), updated.priority, updated.warnings.len()),
            ("Apparel", None, 0)
        );
        assert_eq!(updated.qualification_rules, created.qualification_rules);
        let wrong = offer("", "", vec![condition("isRecoverable", Operator::Eq, integer(1))]);
        assert_eq!(
            faults(catalog.update_offer("off_home", wrong, &["qualification_rules"]).await),
            ["offer.qualification_rules[0].value condition on `isRecoverable`: the field is a \
              boolean and cannot be compared with the number 1"]
        );
    })
    .await;
}

/// Faults travel in trailers, whose size is limited: some are listed, the rest is counted.
#[tokio::test(flavor = "multi_thread")]
async fn very_many_faults_are_counted() {
    let catalog = on_sqlite().await;
    let rules =
        (0..100).map(|n| condition(&"x".repeat(1000 + n), Operator::Exists, None)).collect();
    let told = faults(catalog.create_offer(offer("X", "Apparel", rules)).await);
    assert!(told.last().unwrap().ends_with("more faults: correct these first"), "{told:?}");
    assert!(told.len() > 20 && told.iter().map(String::len).sum::<usize>() < 8 * 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_without_rules_warns_that_every_customer_qualifies() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        let warning = ["no rules: every customer qualifies"];
        let bare = catalog.create_offer(offer("Bare", "Apparel", Vec::new())).await.unwrap();
        assert_eq!(bare.warnings, warning);
        let rules = vec![condition("lifetimePurchases", Operator::Gte, integer(3))];
        let ruled = catalog.create_offer(offer("Ruled", "Apparel", rules)).await.unwrap();
        assert_eq!(ruled.warnings, [""; 0]);
        let patch = Offer::default();
        let cleared = catalog.update_offer(&ruled.id, patch, &["qualification_rules"]).await;
        assert_eq!(cleared.unwrap().warnings, warning);
    })
    .await;
}
