//! Every option of our contracts by example, and the bodies of the seeds.

use proffer_proto::{
    catalog::v1::{self as catalog, rule::Kind as RuleKind},
    decision::v1 as decision,
    policy::v1::{self as policy, contact_policy::Rule as PolicyRule},
    values::v1::{self as values, value::Kind},
};
use prost::Message;
use prost_reflect::DynamicMessage;

use super::{is_same, printed, read, shape};

fn typed<M: Message + Default>(message: &DynamicMessage) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

fn dynamic(name: &str, message: &impl Message) -> DynamicMessage {
    DynamicMessage::decode(shape(name).descriptor.clone(), message.encode_to_vec().as_slice())
        .unwrap()
}

/// Reads `input`, prints it as `output`, and reads that as the same message.
fn check(name: &str, input: &str, output: &str) -> DynamicMessage {
    let message = read(name, input).unwrap_or_else(|faults| panic!("{input}: {faults:?}"));
    assert_eq!(printed(name, &message), output, "{input}");
    assert!(is_same(&read(name, output).unwrap(), &message), "{output}");
    message
}

/// Reads a value bare and as protobuf.
fn check_value(json: &str, kind: Option<Kind>) {
    let message = check("values.Value", json, json);
    assert_eq!(typed::<values::Value>(&message), values::Value { kind }, "{json}");
}

#[test]
fn a_bare_value_keeps_its_type_and_every_digit() {
    check_value("null", None);
    check_value("true", Some(Kind::BooleanValue(true)));
    check_value("\"\"", Some(Kind::StringValue(String::new())));
    check_value("\"2026-07-03\"", Some(Kind::StringValue("2026-07-03".into())));
    check_value("90", Some(Kind::IntegerValue(90)));
    check_value("-9223372036854775808", Some(Kind::IntegerValue(i64::MIN)));
    check_value("9007199254740993", Some(Kind::IntegerValue(9_007_199_254_740_993)));
    check_value("19.90", Some(Kind::DecimalValue("19.90".into())));
    check_value("0.10", Some(Kind::DecimalValue("0.10".into())));
    check_value("1e+300", Some(Kind::DoubleValue(1e300)));
    let list = [Kind::IntegerValue(1), Kind::StringValue("b".into())]
        .map(|kind| values::Value { kind: Some(kind) });
    check_value("[1,\"b\"]", Some(Kind::ListValue(values::ValueList { values: list.into() })));
}

#[test]
fn numbers_that_are_no_whole_ones_are_exact_decimals_as_far_as_these_reach() {
    let kind = |json| typed::<values::Value>(&read("values.Value", json).unwrap()).kind;
    assert_eq!(kind("9223372036854775808"), Some(Kind::DecimalValue("9223372036854775808".into())));
    assert_eq!(
        kind("0.1234567890123456789"),
        Some(Kind::DecimalValue("0.1234567890123456789".into()))
    );
    assert_eq!(kind("1.5e3"), Some(Kind::DecimalValue("1500".into())));
    assert_eq!(kind("1.0"), Some(Kind::DecimalValue("1.0".into())));
    assert_eq!(
        kind("12345678901234567890123456789"),
        Some(Kind::DoubleValue(1.2345678901234568e28))
    );
    assert_eq!(kind("-0"), Some(Kind::IntegerValue(0)));
}

#[test]
fn a_decimal_is_printed_so_that_it_can_be_put_back() {
    let value = |text: &str| values::Value { kind: Some(Kind::DecimalValue(text.into())) };
    let print = |text: &str| printed("values.Value", &dynamic("values.Value", &value(text)));
    for number in ["123456789012.345", "1234567890.1234567", "-0.1234567890123456789012345678"] {
        assert_eq!(print(number), number);
        let read: values::Value = typed(&read("values.Value", number).unwrap());
        assert_eq!(read, value(number));
    }
    assert_eq!(print("00.5"), "\"00.5\"");
    assert_eq!(print("NaN"), "\"NaN\"");
}

/// A schema says that the field is a number, so that a text is one, too.
#[test]
fn a_decimal_of_a_record_beyond_fifteen_digits_is_printed_as_text() {
    let print = |number: &str| {
        let fields =
            [("spent".to_owned(), values::Value { kind: Some(Kind::DecimalValue(number.into())) })];
        let record = catalog::CustomerRecord { fields: fields.into(), ..Default::default() };
        let text = printed("catalog.CustomerRecord", &dynamic("catalog.CustomerRecord", &record));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["spent"].to_string()
    };
    assert_eq!(print("123456789012.345"), "123456789012.345");
    assert_eq!(print("1234567890123.456"), "\"1234567890123.456\"");
}

#[test]
fn an_offer_of_the_seed_reads_and_prints() {
    let seed = r#"{
  "name": "Apparel — 20% back",
  "category": "Apparel",
  "priority": 70,
  "businessValue": 30,
  "margin": 50,
  "qualificationRules": [
    { "field": "primaryCategory", "op": "==", "value": "apparel" },
    { "field": "daysSinceLastPurchase", "op": ">=", "value": 90 },
    { "field": "isRecoverable", "op": "==", "value": true }
  ]
}"#;
    let message = check(
        "catalog.Offer",
        seed,
        concat!(
            r#"{"id":"","name":"Apparel — 20% back","description":"","category":"Apparel","subcategory":"","#,
            r#""priority":70,"businessValue":30,"margin":50,"purpose":"","affinities":[],"qualificationRules":["#,
            r#"{"field":"primaryCategory","op":"==","value":"apparel"},"#,
            r#"{"field":"daysSinceLastPurchase","op":">=","value":90},"#,
            r#"{"field":"isRecoverable","op":"==","value":true}],"customFields":{},"revision":0,"etag":""}"#
        ),
    );
    let offer: catalog::Offer = typed(&message);
    assert_eq!(offer.priority, Some(70.0));
    let Some(RuleKind::Condition(condition)) = &offer.qualification_rules[1].kind else {
        panic!("{offer:?}")
    };
    assert_eq!(condition.op(), catalog::Operator::Gte);
    assert_eq!(condition.value, Some(values::Value { kind: Some(Kind::IntegerValue(90)) }));
}

#[test]
fn rules_nest_with_all_any_and_not() {
    let nested = r#"{"all":[{"any":[{"field":"a","op":"exists"},{"not":{"field":"b","op":"in","value":[1,2]}}]}]}"#;
    let rule: catalog::Rule = typed(&check("catalog.Rule", nested, nested));
    assert!(matches!(rule.kind, Some(RuleKind::All(list)) if list.rules.len() == 1));
    check("catalog.Rule", r#"{"all":[]}"#, r#"{"all":[]}"#);
    check("catalog.Rule", "{}", "{}");
}

#[test]
fn word_forms_of_operators_are_accepted_and_symbols_printed() {
    for (word, symbol) in
        [("eq", "=="), ("neq", "!="), ("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")]
    {
        let rule = |op: &str| format!(r#"{{"field":"a","op":"{op}","value":1}}"#);
        check("catalog.Condition", &rule(word), &rule(symbol));
    }
    let plain = r#"{"field":"a","op":"not_contains","value":"x"}"#;
    check("catalog.Condition", plain, plain);
}

#[test]
fn nodes_carry_their_settings_in_config() {
    let seed = r#"{ "name": "Winback", "config": { "nodes": [
      { "id": "inv",     "type": "inventory", "config": { "categories": ["Apparel","Electronics","Home"] } },
      { "id": "compute", "type": "compute" },
      { "id": "cp",      "type": "contact_policy" },
      { "id": "score",   "type": "score",     "config": { "method": "propensity" } },
      { "id": "rank",    "type": "rank",      "config": {
          "profile": "winback",
          "weights": { "Wp": 0.30, "Wr": 0.20, "Wi": 0.20, "We": 0.05, "Wu": 0.25 }
      }} ] } }"#;
    let message = check(
        "decision.DecisionFlow",
        seed,
        concat!(
            r#"{"id":"","name":"Winback","description":"","config":{"nodes":["#,
            r#"{"id":"inv","type":"inventory","config":{"categories":["Apparel","Electronics","Home"]}},"#,
            r#"{"id":"compute","type":"compute"},{"id":"cp","type":"contact_policy"},"#,
            r#"{"id":"score","type":"score","config":{"method":"propensity","formula":"","model":""}},"#,
            r#"{"id":"rank","type":"rank","config":{"profile":"winback","#,
            r#""weights":{"Wp":0.3,"Wr":0.2,"Wi":0.2,"We":0.05,"Wu":0.25}}}]},"revision":0,"etag":""}"#
        ),
    );
    let flow: decision::DecisionFlow = typed(&message);
    let nodes = flow.config.unwrap().nodes;
    assert_eq!(nodes[1].config, Some(decision::node::Config::Compute(decision::ComputeNode {})));
}

#[test]
fn the_tag_may_stand_behind_the_content() {
    let behind = r#"{"config":{"schema":"Customer"},"type":"enrich","id":"e"}"#;
    check("decision.Node", behind, r#"{"id":"e","type":"enrich","config":{"schema":"Customer"}}"#);
    check(
        "decision.Node",
        r#"{"id":"e","type":"enrich","config":null}"#,
        r#"{"id":"e","type":"enrich","config":{"schema":""}}"#,
    );
    check("decision.Node", r#"{"id":"e"}"#, r#"{"id":"e"}"#);
}

#[test]
fn a_contact_policy_is_flat_and_config_is_accepted_as_well() {
    let printed = concat!(
        r#"{"id":"","name":"cap","description":"","scope":"category:Apparel","ruleType":"frequency_cap","#,
        r#""windowDays":30,"maxImpressions":3,"revision":0,"etag":""}"#
    );
    let start = r#"{"name":"cap","scope":"category:Apparel","ruleType":"frequency_cap","#;
    for rule in [
        r#""windowDays":30,"maxImpressions":3}"#,
        r#""config":{"windowDays":30,"maxImpressions":3}}"#,
        r#""windowDays":30,"config":{"maxImpressions":3}}"#,
    ] {
        let message = check("policy.ContactPolicy", &format!("{start}{rule}"), printed);
        let policy: policy::ContactPolicy = typed(&message);
        let cap =
            policy::FrequencyCap { window_days: 30, max_impressions: 3, ..Default::default() };
        assert_eq!(policy.rule, Some(PolicyRule::FrequencyCap(cap)));
    }
}

#[test]
fn a_list_of_one_reads_and_prints_as_a_single_value() {
    let config = |source: &str| {
        format!(
            r#"{{"quietHoursStart":"21:00","quietHoursEnd":"08:00","timezoneSource":{source},"consentField":""}}"#
        )
    };
    let one = config("\"customer.timezone\"");
    check("policy.ChannelConfig", &one, &one);
    check("policy.ChannelConfig", &config("[\"customer.timezone\"]"), &one);
    let two = config("[\"customer.timezone\",\"attributes.zone\"]");
    check("policy.ChannelConfig", &two, &two);
    check("policy.ChannelConfig", &config("[]"), &config("[]"));
}

#[test]
fn a_record_is_flat() {
    let seed = r#"{"customerId":"c1","lastPurchaseDate":"2026-07-03","lifetimeRevenue":99.50,"consentEmail":null}"#;
    let output = r#"{"customerId":"c1","consentEmail":null,"lastPurchaseDate":"2026-07-03","lifetimeRevenue":99.50,"version":0}"#;
    let record: catalog::CustomerRecord = typed(&check("catalog.CustomerRecord", seed, output));
    assert_eq!(record.fields.len(), 3);
    assert_eq!(record.fields["consentEmail"], values::Value { kind: None });
}

#[test]
fn what_only_the_service_sets_is_printed_and_ignored_on_input() {
    let record = catalog::CustomerRecord {
        customer_id: "c1".into(),
        version: 7,
        updated_at: Some(prost_types::Timestamp { seconds: 1_773_153_000, nanos: 0 }),
        ..Default::default()
    };
    let text = printed("catalog.CustomerRecord", &dynamic("catalog.CustomerRecord", &record));
    assert_eq!(text, r#"{"customerId":"c1","version":7,"updatedAt":"2026-03-10T14:30:00Z"}"#);
    let again: catalog::CustomerRecord = typed(&read("catalog.CustomerRecord", &text).unwrap());
    assert_eq!(again, catalog::CustomerRecord { customer_id: "c1".into(), ..Default::default() });
    assert!(
        read("catalog.OutcomeType", r#"{"isSystem":"nonsense","warnings":3,"createdAt":null}"#)
            .is_ok()
    );
}

#[test]
fn an_outcome_type_of_the_seed_prints_all_its_fields() {
    let kind = catalog::OutcomeType {
        key: "quote_requested".into(),
        name: "Quote Requested".into(),
        classification: catalog::Classification::Positive.into(),
        category: catalog::OutcomeCategory::Response.into(),
        created_at: Some(prost_types::Timestamp { seconds: 1_773_153_000, nanos: 250_000_000 }),
        warnings: vec!["w".into()],
        ..Default::default()
    };
    assert_eq!(
        printed("catalog.OutcomeType", &dynamic("catalog.OutcomeType", &kind)),
        concat!(
            r#"{"key":"quote_requested","name":"Quote Requested","description":"","classification":"positive","#,
            r#""category":"response","isSystem":false,"revision":0,"etag":"","createdAt":"2026-03-10T14:30:00.250Z","warnings":["w"]}"#
        )
    );
}

#[test]
fn an_answer_prints_null_where_that_is_asked_for_and_leaves_the_rest_out() {
    let trace = decision::OfferTrace {
        qualified: true,
        contact_policy: "passed".into(),
        ..Default::default()
    };
    assert_eq!(
        printed("decision.OfferTrace", &dynamic("decision.OfferTrace", &trace)),
        r#"{"qualified":true,"computedFields":{},"contactPolicy":"passed","cate":null,"propensitySource":""}"#
    );
    let decision = decision::Decision {
        reason: "channel email is within quiet hours".into(),
        decision_id: Some("dec_1".into()),
        latency_ms: 38.25,
        ..Default::default()
    };
    assert_eq!(
        printed("decision.Decision", &dynamic("decision.Decision", &decision)),
        concat!(
            r#"{"decisions":[],"reason":"channel email is within quiet hours","decisionId":"dec_1","latencyMs":38.25,"#,
            r#""controlGroup":false,"snapshot":[]}"#
        )
    );
}

#[test]
fn whole_numbers_of_64_bits_may_stand_in_quotes() {
    let message = read("catalog.CustomerRecord", r#"{"customerId":"c"}"#).unwrap();
    assert_eq!(typed::<catalog::CustomerRecord>(&message).version, 0);
    let arm = |n: &str| {
        read("experiment.ArmResult", &format!(r#"{{"n":{n}}}"#))
            .map(|message| printed("experiment.ArmResult", &message))
    };
    for n in ["9007199254740993", "\"9007199254740993\"", "9007199254740993.0"] {
        assert!(arm(n).unwrap().contains(r#""n":9007199254740993"#), "{n}");
    }
}

#[test]
fn doubles_print_as_javascript_prints_them() {
    let weights = |wp: f64| {
        let weights = decision::Weights { propensity: wp, ..Default::default() };
        printed("decision.Weights", &dynamic("decision.Weights", &weights))
    };
    for (value, text) in
        [(1.0, "1"), (0.1, "0.1"), (-2.5, "-2.5"), (f64::NAN, "null"), (f64::INFINITY, "null")]
    {
        assert!(weights(value).starts_with(&format!("{{\"Wp\":{text},")), "{}", weights(value));
    }
}

#[test]
fn a_word_of_a_newer_service_prints_as_its_number() {
    let kind = catalog::OutcomeType { classification: 77, ..Default::default() };
    assert!(
        printed("catalog.OutcomeType", &dynamic("catalog.OutcomeType", &kind))
            .contains(r#""classification":77"#)
    );
}

#[test]
fn an_experiment_of_the_seed_reads() {
    let seed = r#"{"name":"Winback Q4 holdout","flowId":"flow_winback","holdoutPercentage":15,
        "primaryMetric":"revenue_per_customer","duration":"90 days","status":"active"}"#;
    let text = printed("experiment.Experiment", &read("experiment.Experiment", seed).unwrap());
    assert!(
        text.contains(r#""status":"running","flowId":"flow_winback","holdoutPercentage":15,"#),
        "{text}"
    );
}

#[test]
fn a_recommend_request_takes_attributes_of_any_type() {
    let body = r#"{"customerId":"c","attributes":{"cart":19.99,"vip":true,"tags":["a"],"none":null},"at":"2026-03-10T02:00:00+02:00"}"#;
    let asked: decision::RecommendRequest =
        typed(&read("decision.RecommendRequest", body).unwrap());
    assert_eq!(asked.attributes["cart"].kind, Some(Kind::DecimalValue("19.99".into())));
    assert_eq!(asked.attributes["none"].kind, None);
    assert_eq!(asked.at, Some(prost_types::Timestamp { seconds: 1_773_100_800, nanos: 0 }));
}
