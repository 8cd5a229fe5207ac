//! Field paths of services, and masks.

use http::Method;

use super::{
    super::{
        fault::{Faults, Place},
        mask, tree,
    },
    TABLE, shape, shapes,
};

/// Translates a path of the call at `path`.
fn check(method: Method, path: &str, proto: &str, json: &str) {
    let found = TABLE.find(path).unwrap();
    let root = TABLE.error_root(found.route(&method).unwrap());
    assert_eq!(root.translate(proto).text, json, "{proto}");
}

#[test]
fn paths_of_an_offer_lose_the_body_and_follow_the_rules() {
    let offer = |proto, json| check(Method::POST, "/api/v1/offers", proto, json);
    offer("offer", "body");
    offer("offer.name", "name");
    offer("offer.business_value", "businessValue");
    offer("offer.qualification_rules[0].value", "qualificationRules[0].value");
    offer("offer.qualification_rules[0].condition.value", "qualificationRules[0].value");
    offer(
        "offer.qualification_rules[0].condition.value.string_value",
        "qualificationRules[0].value",
    );
    offer(
        "offer.qualification_rules[2].all.rules[1].not.condition.op",
        "qualificationRules[2].all[1].not.op",
    );
    offer("offer.qualification_rules[2].all[1].not.op", "qualificationRules[2].all[1].not.op");
    offer("offer.custom_fields.some_key", "customFields.some_key");
    offer("offer.custom_fields[\"a b\"]", "customFields[\"a b\"]");
    offer("offer.no_such_thing[3].in_there", "noSuchThing[3].inThere");
}

#[test]
fn paths_of_tagged_objects_go_through_tag_and_content() {
    let flow = |proto, json| check(Method::POST, "/api/v1/decision-flows", proto, json);
    flow(
        "decision_flow.config.nodes[2].rank.weights.propensity",
        "config.nodes[2].config.weights.Wp",
    );
    flow(
        "decision_flow.config.nodes[2].config.weights.propensity",
        "config.nodes[2].config.weights.Wp",
    );
    flow("decision_flow.config.nodes[2].config.method", "config.nodes[2].config.method");
    flow("decision_flow.config.nodes[2].type", "config.nodes[2].type");
    flow("decision_flow.config.nodes[2].filter", "config.nodes[2].type");
    flow("decision_flow.config.nodes", "config.nodes");
    let policy = |proto, json| check(Method::POST, "/api/v1/contact-policies", proto, json);
    policy("contact_policy.frequency_cap.max_impressions", "maxImpressions");
    policy("contact_policy.max_impressions", "maxImpressions");
    policy("contact_policy.outcome_based.outcomes[1]", "outcomes[1]");
    policy("contact_policy.rule", "ruleType");
    policy("contact_policy.rule_type", "ruleType");
    policy("contact_policy.cooldown", "ruleType");
}

#[test]
fn paths_of_records_paths_and_queries_are_read() {
    let put = |proto, json| check(Method::PUT, "/api/v1/schemas/Customer/records/c1", proto, json);
    put("record.customer_id", "customerId");
    put("record.fields.lastPurchaseDate", "lastPurchaseDate");
    put("record.fields[\"a.b\"]", "[\"a.b\"]");
    put("record.lastPurchaseDate", "lastPurchaseDate");
    put("schema", "schema");
    let bulk = |proto, json| check(Method::POST, "/api/v1/schemas/Customer/records", proto, json);
    bulk("records[3].fields.x", "records[3].x");
    check(Method::GET, "/api/v1/offers", "page_size", "pageSize");
    check(Method::POST, "/api/v1/respond", "outcome.decision_id", "decisionId");
    check(Method::POST, "/api/v1/respond", "outcome.outcome", "outcome");
    check(Method::POST, "/api/v1/recommend", "attributes.cart_size", "attributes.cart_size");
}

#[test]
fn paths_quoted_in_messages_are_translated_and_values_are_not() {
    let found = TABLE.find("/api/v1/channels").unwrap();
    let root = TABLE.error_root(found.route(&Method::POST).unwrap());
    let known = [("channel.config.quiet_hours_end".to_owned(), "config.quietHoursEnd".to_owned())];
    let beside = Some("channel.config.quiet_hours_end");
    let said = |text| root.translate_text(text, &known, beside).into_owned();
    assert_eq!(
        said("`channel.config.quiet_hours_end` is `21:00`"),
        "`config.quietHoursEnd` is `21:00`"
    );
    assert_eq!(said("must differ from `quiet_hours_start`"), "must differ from `quietHoursStart`");
    assert_eq!(said("`channel.config.consent_field` is odd"), "`config.consentField` is odd");
    assert_eq!(said("channel `not_a_field` and `channel`"), "channel `not_a_field` and `channel`");
    assert_eq!(said("a lone ` stays"), "a lone ` stays");
}

#[test]
fn a_neighbour_of_a_flat_field_is_recognised() {
    let found = TABLE.find("/api/v1/contact-policies").unwrap();
    let root = TABLE.error_root(found.route(&Method::POST).unwrap());
    let said = root.translate_text(
        "is required, or `window_hours`",
        &[],
        Some("contact_policy.frequency_cap.window_days"),
    );
    assert_eq!(said, "is required, or `windowHours`");
    let found = TABLE.find("/api/v1/decision-flows").unwrap();
    let root = TABLE.error_root(found.route(&Method::POST).unwrap());
    let said = root.translate_text(
        "as in `some_key`",
        &[],
        Some("decision_flow.config.nodes[0].rank.profile"),
    );
    assert_eq!(said, "as in `some_key`");
}

fn check_mask(name: &str, body: &str, expected: &[&str]) {
    let json = tree::read(body, &mut Faults::default()).unwrap();
    assert_eq!(mask::of_body(shapes(), shape(name), &json), expected, "{body}");
}

#[test]
fn the_keys_of_a_body_are_the_mask() {
    check_mask(
        "policy.Channel",
        r#"{"name":"a","config":{"quietHoursEnd":"09:00"}}"#,
        &["name", "config.quiet_hours_end"],
    );
    check_mask(
        "policy.Channel",
        r#"{"config":null,"description":null}"#,
        &["config", "description"],
    );
    check_mask("policy.Channel", r#"{"config":{}}"#, &[]);
    check_mask(
        "policy.Channel",
        r#"{"revision":3,"warnings":[],"createdAt":"x","etag":"e"}"#,
        &["etag"],
    );
    check_mask(
        "catalog.Offer",
        r#"{"qualificationRules":[{"field":"a"}],"customFields":{"a":1}}"#,
        &["qualification_rules", "custom_fields"],
    );
    check_mask("experiment.Experiment", r#"{"startsAt":"2026-03-10T14:30:00Z"}"#, &["starts_at"]);
    check_mask("decision.DecisionFlow", r#"{"config":{"nodes":[]}}"#, &["config.nodes"]);
}

#[test]
fn a_flat_rule_is_changed_field_by_field() {
    check_mask(
        "policy.ContactPolicy",
        r#"{"ruleType":"frequency_cap","maxImpressions":5}"#,
        &["frequency_cap.max_impressions"],
    );
    check_mask(
        "policy.ContactPolicy",
        r#"{"config":{"maxImpressions":5},"ruleType":"frequency_cap"}"#,
        &["frequency_cap.max_impressions"],
    );
    check_mask(
        "policy.ContactPolicy",
        r#"{"ruleType":"outcome_based","name":"n"}"#,
        &["outcome_based", "name"],
    );
}

#[test]
fn a_mask_in_the_query_is_read_in_the_names_of_json() {
    let read = |text: &str| {
        let mut faults = Faults::default();
        let paths = mask::of_text(
            shapes(),
            shape("policy.Channel"),
            text,
            &Place::Root.key("updateMask"),
            &mut faults,
        );
        (paths, faults.into_list().len())
    };
    assert_eq!(
        read("name, config.quietHoursEnd,"),
        (vec!["name".to_owned(), "config.quiet_hours_end".to_owned()], 0)
    );
    assert_eq!(read("colour,name.first"), (Vec::new(), 2));
}
