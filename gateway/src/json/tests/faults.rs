//! Wrong bodies: each fault with its path.

use super::{super::parse::Nulls, read, read_with};

fn check(name: &str, input: &str, expected: &[(&str, &str)]) {
    let faults = read(name, input).expect_err(input);
    let faults: Vec<_> =
        faults.iter().map(|(path, message)| (path.as_str(), message.as_str())).collect();
    assert_eq!(faults, expected, "{input}");
}

/// Checks the places and the starts of the messages.
fn check_starts(name: &str, input: &str, expected: &[(&str, &str)]) {
    let faults = read(name, input).expect_err(input);
    assert_eq!(faults.len(), expected.len(), "{input}: {faults:?}");
    for ((path, message), (expected_path, start)) in faults.iter().zip(expected) {
        assert_eq!(path, expected_path, "{input}");
        assert!(message.starts_with(start), "{input}: {message}");
    }
}

#[test]
fn a_wrong_type_says_what_is_expected() {
    check("catalog.Offer", "[]", &[("body", "must be an object, not a list")]);
    check("catalog.Offer", "null", &[("body", "must be an object, not null")]);
    check("catalog.Offer", r#"{"name":5}"#, &[("name", "must be text, not a number")]);
    check("catalog.Offer", r#"{"name":null}"#, &[("name", "is required, and null is no value")]);
    check("catalog.Offer", r#"{"priority":"70"}"#, &[("priority", "must be a number, not text")]);
    check(
        "catalog.Offer",
        r#"{"priority":1e999}"#,
        &[("priority", "must be a number that fits a double, not `1e999`")],
    );
    check(
        "catalog.Offer",
        r#"{"qualificationRules":{}}"#,
        &[("qualificationRules", "must be a list, not an object")],
    );
    check(
        "catalog.Offer",
        r#"{"customFields":[]}"#,
        &[("customFields", "must be an object, not a list")],
    );
    check(
        "catalog.Offer",
        r#"{"customFields":{"a":{}}}"#,
        &[("customFields.a", "must be text, a number, true, false, null or a list, not an object")],
    );
    check(
        "decision.RecommendRequest",
        r#"{"dryRun":"true"}"#,
        &[("dryRun", "must be true or false, not text")],
    );
    check(
        "decision.RecommendRequest",
        r#"{"dryRun":1}"#,
        &[("dryRun", "must be true or false, not a number")],
    );
    check(
        "decision.RecommendRequest",
        r#"{"limit":1.5}"#,
        &[("limit", "must be a whole number, not `1.5`")],
    );
    check(
        "decision.RecommendRequest",
        r#"{"limit":"1"}"#,
        &[("limit", "must be a whole number, not text")],
    );
    check(
        "decision.RecommendRequest",
        r#"{"limit":3000000000}"#,
        &[("limit", "must be a whole number from -2147483648 to 2147483647, not `3000000000`")],
    );
    check(
        "decision.RecommendRequest",
        r#"{"excludeOffers":["a",null]}"#,
        &[("excludeOffers[1]", "must be text, not null")],
    );
    check(
        "policy.ChannelConfig",
        r#"{"timezoneSource":5}"#,
        &[("timezoneSource", "must be text, not a number")],
    );
    check(
        "policy.ChannelConfig",
        r#"{"timezoneSource":[5]}"#,
        &[("timezoneSource[0]", "must be text, not a number")],
    );
}

#[test]
fn optional_fields_may_be_null() {
    assert!(read("catalog.Offer", r#"{"priority":null,"margin":null}"#).is_ok());
    assert!(read("decision.RecommendRequest", r#"{"limit":null,"at":null,"hold":null}"#).is_ok());
    let nulls = r#"{"channel":null,"requestId":null,"dryRun":null,"attributes":null}"#;
    assert!(read("decision.RecommendRequest", nulls).is_ok());
    assert!(read("policy.Channel", r#"{"config":null}"#).is_ok());
}

#[test]
fn in_a_patch_null_clears_any_field_but_not_what_stands_in_a_list() {
    let read = |text| read_with("catalog.Offer", text, Nulls::Clear);
    assert!(read(r#"{"description":null,"affinities":null,"status":null}"#).is_ok());
    let faults = read(r#"{"affinities":[{"field":null}]}"#).unwrap_err();
    let told = "is required, and null is no value".to_owned();
    assert_eq!(faults, [("affinities[0].field".to_owned(), told)]);
    let told = "is required: it cannot be cleared".to_owned();
    assert_eq!(read(r#"{"name":null}"#).unwrap_err(), [("name".to_owned(), told)]);
}

#[test]
fn an_unknown_field_is_named_with_its_path_and_the_known_ones() {
    check(
        "decision.Weights",
        r#"{"Wx":1}"#,
        &[("Wx", "is not a field of this object; known are `Wp`, `Wr`, `Wi`, `We`, `Wu`")],
    );
    check_starts(
        "decision.DecisionFlow",
        r#"{"config":{"nodes":[{"id":"a","type":"enrich","config":{"colour":1}}]}}"#,
        &[("config.nodes[0].config.colour", "is not a field of this object; known are `schema`")],
    );
    check(
        "decision.Node",
        r#"{"id":"a","type":"compute","config":{"x":1}}"#,
        &[("config.x", "is not known: in this version `compute` takes no settings")],
    );
    check_starts(
        "catalog.Rule",
        r#"{"all":[{"field":"a","oops":1}]}"#,
        &[(
            "all[0].oops",
            "is not a field of this object; known are `field`, `op`, `value`, `all`, `any`, `not`",
        )],
    );
    check_starts(
        "catalog.Offer",
        r#"{"business_value":1}"#,
        &[("business_value", "is not a field")],
    );
    check_starts(
        "catalog.Offer",
        r#"{"a.b":1,"":2}"#,
        &[("[\"a.b\"]", "is not a field"), ("[\"\"]", "is not a field")],
    );
}

#[test]
fn an_unknown_word_is_answered_with_the_nearest_and_the_known_ones() {
    check(
        "catalog.OutcomeType",
        r#"{"classification":"great"}"#,
        &[("classification", "must be one of `positive`, `negative`, `neutral`, not `great`")],
    );
    check(
        "catalog.OutcomeType",
        r#"{"classification":"POSITIVE","category":1}"#,
        &[
            (
                "classification",
                "is `POSITIVE`; did you mean `positive`? \
                 It must be one of `positive`, `negative`, `neutral`",
            ),
            ("category", "must be one of `impression`, `response`, not a number"),
        ],
    );
    check_starts(
        "catalog.OutcomeType",
        r#"{"classification":"unspecified"}"#,
        &[("classification", "must be one of")],
    );
}

#[test]
fn every_fault_is_told() {
    check_starts(
        "catalog.Offer",
        r#"{"name":1,"x":2,"priority":true,"name":3}"#,
        &[
            ("name", "is given twice"),
            ("name", "must be text"),
            ("priority", "must be a number"),
            ("x", "is not a field"),
        ],
    );
}

#[test]
fn at_most_a_hundred_faults_are_told() {
    let many = format!("[{}]", vec!["{}"; 500].join(","));
    assert_eq!(read("values.Value", &many).unwrap_err().len(), super::super::fault::FAULTS_MAX);
}

#[test]
fn a_tagged_object_needs_its_tag() {
    check_starts(
        "decision.Node",
        r#"{"id":"a","config":{}}"#,
        &[("type", "is required beside `config`: one of `inventory`, ")],
    );
    check_starts(
        "decision.Node",
        r#"{"id":"a","type":"teleport"}"#,
        &[("type", "must be one of `inventory`, ")],
    );
    check_starts(
        "decision.Node",
        r#"{"id":"a","type":5}"#,
        &[("type", "must be one of `inventory`, ")],
    );
    check_starts(
        "decision.Node",
        r#"{"id":"a","type":"enrich","config":[]}"#,
        &[("config", "must be an object, not a list")],
    );
    check_starts(
        "policy.ContactPolicy",
        r#"{"windowDays":3}"#,
        &[("ruleType", "is required beside `windowDays`: one of `frequency_cap`, ")],
    );
    check_starts("policy.ContactPolicy", r#"{"colour":3}"#, &[("colour", "is not a field")]);
}

#[test]
fn a_flat_member_takes_only_its_own_fields() {
    check_starts(
        "policy.ContactPolicy",
        r#"{"ruleType":"outcome_based","windowDays":1,"maxImpressions":3}"#,
        &[("maxImpressions", "is not a field of this object; known are `id`, ")],
    );
    check(
        "policy.ContactPolicy",
        r#"{"ruleType":"frequency_cap","windowDays":1,"config":{"windowDays":2}}"#,
        &[("windowDays", "is given twice, here and in `config`")],
    );
    check(
        "policy.ContactPolicy",
        r#"{"ruleType":"frequency_cap","config":{"windowDays":"x"}}"#,
        &[("config.windowDays", "must be a whole number, not text")],
    );
    check(
        "policy.ContactPolicy",
        r#"{"ruleType":"frequency_cap","windowDays":[]}"#,
        &[("windowDays", "must be a whole number, not a list")],
    );
}

#[test]
fn a_member_without_fields_says_so() {
    check(
        "policy.ContactPolicy",
        r#"{"ruleType":"allow_override","windowHours":24,"config":{"x":1}}"#,
        &[
            ("config.x", "is not known: in this version `allow_override` takes no settings"),
            ("windowHours", "is not known: in this version `allow_override` takes no settings"),
        ],
    );
    check(
        "decision.Node",
        r#"{"id":"a","type":"qualify","config":5}"#,
        &[("config", "must be an object, not a number")],
    );
    assert!(read("decision.Node", r#"{"id":"a","type":"qualify","config":{}}"#).is_ok());
}

#[test]
fn members_of_a_choice_exclude_each_other() {
    check(
        "catalog.Rule",
        r#"{"all":[],"any":[]}"#,
        &[("any", "cannot be combined with `all`: give one of them")],
    );
    check(
        "catalog.Rule",
        r#"{"field":"a","not":{"field":"b"}}"#,
        &[("field", "cannot be combined with `not`: give one of them")],
    );
    assert!(read("catalog.Rule", r#"{"all":[],"any":null}"#).is_ok());
}

#[test]
fn an_instant_needs_its_offset() {
    for wrong in [
        "\"2026-03-10\"",
        "\"2026-03-10T14:30:00\"",
        "\"yesterday\"",
        "5",
        "\"2026-02-30T00:00:00Z\"",
        "\"2026-06-30T23:59:60Z\"",
        "\"0000-01-01T00:00:00Z\"",
    ] {
        check_starts(
            "decision.RecommendRequest",
            &format!(r#"{{"at":{wrong}}}"#),
            &[("at", "must be an RFC 3339 instant")],
        );
    }
}

#[test]
fn the_character_zero_is_refused() {
    check(
        "catalog.Offer",
        r#"{"name":"a\u0000b"}"#,
        &[("name", "must not contain the character U+0000")],
    );
}

#[test]
fn long_text_of_the_caller_is_cut_in_faults() {
    let long = "x".repeat(100_000);
    let faults =
        read("catalog.Offer", &format!(r#"{{"{long}":1,"status":"{long}"}}"#)).unwrap_err();
    assert!(
        faults.iter().all(|(path, message)| path.len() < 100 && message.len() < 700),
        "{faults:?}"
    );
}
