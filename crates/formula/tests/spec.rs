//! The language as its specification says it: `spec/NN-chapter.csv`, one row a rule.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use formula::{
    Cause, DEPTH_MAX, Formula, Moment, NODES_MAX, Number, OutputType, SOURCE_BYTES_MAX,
    TEXT_BYTES_MAX, Type, Value,
    program::{
        Constants, Datum, FormulaProgram, Inputs, Memory, Record, Registers, RuleProgram, Why, Word,
    },
    rule::{self, CompiledRule, Literal, Operator, Rule, Verdict},
};
use proptest::prelude::*;

const FEWEST_ROWS: usize = 300;

fn rows(chapter: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("spec").join(chapter);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b';')
        .quoting(false)
        .comment(Some(b'#'))
        .has_headers(false)
        .flexible(true)
        .from_path(path)
        .unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn moment() -> Moment {
    Moment::new(instant("2026-11-22T10:00:00Z"), chrono_tz::Europe::London)
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

/// The customer of the specification: the type of a field and its value, none when missing.
fn field(name: &str) -> Option<(Type, Option<Value>)> {
    let found = match name.strip_prefix("customer.").unwrap_or(name) {
        "purchases" => (Type::Number, Some(Value::Number(7.0))),
        "lifetimePurchases" => (Type::Number, Some(Value::Number(5.0))),
        "lifetimeRevenue" => (Type::Number, Some(Value::Number(320.5))),
        // No double is this number.
        "card" => (Type::Number, Some(Number::whole(9_007_199_254_740_993).into())),
        "category" => (Type::String, Some(text("apparel"))),
        "isMember" => (Type::Boolean, Some(Value::Boolean(true))),
        "lastPurchaseDate" => (Type::Date, NaiveDate::from_ymd_opt(2026, 7, 3).map(Value::Date)),
        "seenAt" => (Type::Timestamp, Some(Value::Timestamp(instant("2026-11-21T09:30:00Z")))),
        // Attributes have the type they have.
        "attributes.cart" => (Type::Any, Some(Value::Number(250.0))),
        "attributes.items" => (Type::Any, Some(Value::Number(5.0))),
        "attributes.page" => (Type::Any, Some(text("home"))),
        "attributes.day" => (Type::Any, Some(text("2026-11-20"))),
        "attributes.isNew" => (Type::Any, Some(Value::Boolean(true))),
        "attributes.gone" => (Type::Any, None),
        "nothing" | "nothingElse" => (Type::Number, None),
        "noText" => (Type::String, None),
        "noDate" => (Type::Date, None),
        _ => return None,
    };
    Some(found)
}

fn value_of(name: &str) -> Value {
    field(name).and_then(|(_, value)| value).unwrap_or_else(|| Value::Null(Cause::missing(name)))
}

/// The result, which the program gives as well.
fn result(formula: &Formula, value_of: &dyn Fn(&str) -> Value, moment: &Moment) -> Value {
    let value = formula.evaluate(value_of, moment);
    let (told, by_program) = by_program(formula, None, value_of, moment);
    assert_eq!(told, value.to_string());
    assert_eq!(by_program.type_of(), value.type_of());
    value
}

fn coerced(formula: &Formula, output: OutputType) -> Value {
    let value = output.coerce(formula.evaluate(&value_of, &moment()));
    let (told, by_program) = by_program(formula, Some(output), &value_of, &moment());
    assert_eq!((told, by_program.type_of()), (value.to_string(), value.type_of()));
    value
}

fn by_program(
    formula: &Formula,
    output: Option<OutputType>,
    value_of: &dyn Fn(&str) -> Value,
    moment: &Moment,
) -> (String, Value) {
    let (mut constants, mut memory) = (Constants::default(), Memory::default());
    // Every second value is one of the record.
    let names = formula.references();
    let places: Vec<u32> = (0..names.len()).map(place_of).collect();
    let program = FormulaProgram::new(formula, &places, &mut constants).unwrap();
    let values: Vec<Value> = names.iter().map(|name| value_of(name)).collect();
    let mut record = Record::default();
    record.clear(names.len());
    for (at, value) in values.iter().enumerate() {
        let datum = datum(value, place_of(at), |text| record.text(text));
        record.put(at, datum.into());
    }
    let mut filled = |(at, value)| Word::from(datum(value, place_of(at), |text| memory.text(text)));
    let registers: Registers = values.iter().enumerate().map(&mut filled).collect();
    let inputs = Inputs { record: &record, registers: &registers };
    let word = program.run(inputs, &constants, moment, &mut memory);
    let word = output.map_or(word, |output| output.convert(word, &mut memory));
    let value = constants.texts(&record, &memory).value(word.datum(), &|why| told(why, &values));
    (value.to_string(), value)
}

/// The register of a value: of the record, or another.
fn place_of(at: usize) -> u32 {
    if at.is_multiple_of(2) { Record::register(at) } else { at as u32 }
}

fn datum(value: &Value, register: u32, keep: impl FnOnce(&str) -> Datum) -> Datum {
    match value {
        Value::Null(_) => Datum::Null(Why::Register(register)),
        Value::Number(number) => Datum::Number(*number),
        Value::Exact(exact) => Datum::Exact(*exact),
        Value::String(text) => keep(text),
        Value::Boolean(is) => Datum::Boolean(*is),
        Value::Date(date) => Datum::Date(*date),
        Value::Timestamp(at) => Datum::Timestamp(*at),
    }
}

fn told(why: Why, values: &[Value]) -> String {
    match why {
        Why::Register(register) => {
            match &values[Record::field(register).unwrap_or(register as usize)] {
                Value::Null(cause) => cause.to_string(),
                other => panic!("{other} is not null"),
            }
        }
        why => why.to_string(),
    }
}

/// The verdict, which the program gives as well.
fn verdict(compiled: &CompiledRule, actual: &Value) -> Verdict {
    let verdict = compiled.evaluate(&|_, _| actual.clone());
    let (mut constants, mut record) = (Constants::default(), Record::default());
    let register = Record::register(0);
    let program = RuleProgram::new(compiled, &mut constants, &|_, _| Some(register)).unwrap();
    record.clear(1);
    let datum = datum(actual, register, |text| record.text(text));
    record.put(0, datum.into());
    let memory = Memory::default();
    let texts = constants.texts(&record, &memory);
    let judged = program.judge(Inputs { record: &record, registers: &Registers::default() }, texts);
    let refusal = || judged.refusal(texts, &|why| told(why, std::slice::from_ref(actual)));
    let by_program = match judged.is {
        Some(true) => Verdict::True,
        Some(false) => Verdict::False(refusal()),
        None => Verdict::Unknown(refusal()),
    };
    assert_eq!(by_program, verdict);
    verdict
}

fn compile(source: &str) -> Result<Formula, formula::FormulaError> {
    Formula::compile(source, &|name| field(name).map(|(of_type, _)| of_type))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{text}\""),
        Value::Date(_) => format!("date {value}"),
        Value::Timestamp(_) => format!("timestamp {value}"),
        _ => value.to_string(),
    }
}

fn evaluated(source: &str) -> String {
    match compile(source) {
        Ok(formula) => shown(&result(&formula, &value_of, &moment())),
        Err(error) => format!("error {}: {}", error.position + 1, error.message),
    }
}

fn check_all(rows: usize, wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} of {rows} rows do not hold:\n{}", wrong.len(), wrong.join("\n"));
}

/// Rows (formula, result) of every chapter on values and on refusals.
#[test]
fn every_formula_of_the_specification_holds() {
    let mut count = 0;
    let mut wrong = Vec::new();
    let chapters = [
        "01-literals",
        "02-operators",
        "03-null",
        "04-numbers",
        "05-text",
        "06-dates",
        "07-refused",
    ];
    for chapter in chapters {
        for row in rows(&format!("{chapter}.csv")) {
            let [source, expected @ ..] = row.as_slice() else { panic!("{chapter}: {row:?}") };
            let expected = expected.join(";");
            count += 1;
            let got = evaluated(source);
            let holds = if expected.starts_with("error") {
                got.starts_with(&expected)
            } else {
                got == expected
            };
            if !holds {
                wrong.push(format!("{chapter}: {source}\n  expected {expected}\n  got      {got}"));
            }
        }
    }
    assert!(count >= FEWEST_ROWS, "{count}");
    check_all(count, wrong);
}

#[test]
fn a_result_is_converted_to_its_declared_type() {
    let all = rows("08-output-types.csv");
    let mut wrong = Vec::new();
    for row in &all {
        let [source, output, expected] = row.as_slice() else { panic!("{row:?}") };
        let output = match output.as_str() {
            "integer" => OutputType::Integer,
            "number" => OutputType::Number,
            "decimal" => OutputType::Decimal,
            "boolean" => OutputType::Boolean,
            "string" => OutputType::String,
            "text" => OutputType::Text,
            "date" => OutputType::Date,
            other => panic!("{other}"),
        };
        let formula = compile(source).unwrap();
        assert!(formula.result_type().is_none_or(|found| output.accepts(found)), "{source}");
        let got = shown(&coerced(&formula, output));
        if got != *expected {
            wrong.push(format!("{source} as {output:?}: expected {expected}, got {got}"));
        }
    }
    check_all(all.len(), wrong);
}

fn typed(of_type: Type, text: &str) -> Value {
    match of_type {
        _ if text.is_empty() => Value::Null(Cause::missing("customer.x")),
        Type::Number => Number::parse(text).unwrap().into(),
        Type::Any => panic!("no value has it"),
        Type::String => self::text(text),
        Type::Boolean => Value::Boolean(text == "true"),
        Type::Date => Value::Date(text.parse().unwrap()),
        Type::Timestamp => Value::Timestamp(instant(text)),
    }
}

/// What has its type only now is a number when it is written as one, else text.
fn actual_of(of_type: Type, actual: &str) -> Value {
    match (of_type, Number::parse(actual)) {
        (Type::Any, Some(number)) => number.into(),
        (Type::Any, None) if actual == "true" => Value::Boolean(true),
        (Type::Any, None) => typed(Type::String, actual),
        _ => typed(of_type, actual),
    }
}

fn literal(text: &str) -> Literal {
    if let Some(items) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Literal::List(
            items.split(',').filter(|item| !item.is_empty()).map(literal).collect(),
        );
    }
    match (text, Number::parse(text)) {
        ("", _) => Literal::None,
        ("true", _) => Literal::Boolean(true),
        ("false", _) => Literal::Boolean(false),
        (_, Some(number)) => number.into(),
        _ => Literal::String(text.to_owned()),
    }
}

#[test]
fn every_rule_of_the_specification_holds() {
    let all = rows("09-rules.csv");
    let mut wrong = Vec::new();
    for row in &all {
        let [of_type, op, value, actual, expected] = row.as_slice() else { panic!("{row:?}") };
        let of_type = match of_type.as_str() {
            "number" => Type::Number,
            "string" => Type::String,
            "boolean" => Type::Boolean,
            "date" => Type::Date,
            "timestamp" => Type::Timestamp,
            "any" => Type::Any,
            other => panic!("{other}"),
        };
        let op = Operator::parse(op).unwrap();
        let rule = Rule::Condition { field: "x".into(), op, value: literal(value) };
        let got = match CompiledRule::compile(&rule, &|_| Some(of_type)) {
            Ok(compiled) => match verdict(&compiled, &actual_of(of_type, actual)) {
                Verdict::True => "true".to_owned(),
                Verdict::False(_) => "false".to_owned(),
                Verdict::Unknown(_) => "unknown".to_owned(),
            },
            Err(faults) => {
                format!("refused {}", faults[0].message.trim_start_matches("condition on `x`: "))
            }
        };
        let holds = if expected.starts_with("refused") {
            got.starts_with(expected.as_str())
        } else {
            got == *expected
        };
        if !holds {
            wrong.push(format!("{row:?}\n  got {got}"));
        }
    }
    check_all(all.len(), wrong);
}

fn condition(field: &str, op: Operator, value: f64) -> Rule {
    Rule::Condition { field: field.into(), op, value: Literal::Number(value) }
}

fn judged(rule: &Rule) -> Verdict {
    let compiled =
        CompiledRule::compile(rule, &|name| field(name).map(|(of_type, _)| of_type)).unwrap();
    compiled.evaluate(&|name, _| value_of(name))
}

/// Under `not`, under `any` beside false, under `all` beside true: a missing value never makes a
/// customer eligible.
#[test]
fn absence_never_becomes_eligibility() {
    let missing = condition("nothing", Operator::Lt, 5.0);
    let holds = condition("purchases", Operator::Eq, 7.0);
    let fails = condition("purchases", Operator::Eq, 8.0);
    let is_unknown = |rule: Rule| match judged(&rule) {
        Verdict::Unknown(refusal) => assert_eq!(refusal.cause.as_deref(), Some("missing nothing")),
        other => panic!("{rule:?}: {other:?}"),
    };
    is_unknown(missing.clone());
    is_unknown(Rule::Not(Box::new(missing.clone())));
    is_unknown(Rule::Not(Box::new(Rule::Not(Box::new(missing.clone())))));
    is_unknown(Rule::All(vec![holds.clone(), missing.clone()]));
    is_unknown(Rule::Any(vec![fails.clone(), missing.clone()]));
    is_unknown(Rule::Not(Box::new(Rule::All(vec![holds.clone(), missing.clone()]))));
    assert_eq!(judged(&Rule::Any(vec![missing.clone(), holds])), Verdict::True);
    assert!(matches!(judged(&Rule::All(vec![missing, fails])), Verdict::False(_)));
}

#[test]
fn a_refusal_names_what_was_expected_and_what_was_there() {
    let Verdict::False(refusal) = judged(&condition("purchases", Operator::Gte, 90.0)) else {
        panic!()
    };
    assert_eq!((refusal.field.as_str(), refusal.op.as_str()), ("purchases", ">="));
    assert_eq!((refusal.expected.as_str(), refusal.actual.as_deref()), ("90", Some("7")));
}

#[test]
fn rules_nest_as_deep_and_hold_as_many_conditions_as_the_limits_say() {
    let nested = |depth: usize| {
        (0..depth)
            .fold(condition("purchases", Operator::Eq, 7.0), |rule, _| Rule::Not(Box::new(rule)))
    };
    let compile = |rule: &Rule| CompiledRule::compile(rule, &|_| Some(Type::Number));
    assert!(compile(&nested(rule::DEPTH_MAX)).is_ok());
    let faults = compile(&nested(rule::DEPTH_MAX + 1)).unwrap_err();
    assert_eq!(faults[0].message, "nested deeper than 8");
    let wide = |count: usize| Rule::All(vec![condition("purchases", Operator::Eq, 7.0); count]);
    assert!(compile(&wide(rule::CONDITIONS_MAX)).is_ok());
    assert_eq!(compile(&wide(rule::CONDITIONS_MAX + 1)).unwrap_err()[0].path, "all[100]");
}

/// At each limit it compiles, one past it is refused, and no input of any depth exhausts the stack.
#[test]
fn limits_hold_at_the_limit_and_one_past_it() {
    let parentheses = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(evaluated(&parentheses(DEPTH_MAX)), "1");
    assert_eq!(evaluated(&parentheses(DEPTH_MAX + 1)), "error 66: nested deeper than 64");
    assert!(evaluated(&"!".repeat(4_000)).contains("nested deeper than 64"));
    assert!(evaluated(&"true?".repeat(800)).contains("nested deeper than 64"));
    assert!(evaluated(&"round(".repeat(600)).contains("nested deeper than 64"));
    // A sum of n ones has 2n - 1 parts.
    let sum = |ones: usize| vec!["1"; ones].join("+");
    assert_eq!(evaluated(&sum(NODES_MAX / 2)), (NODES_MAX / 2).to_string());
    assert!(
        evaluated(&sum(NODES_MAX / 2 + 1)).contains("more than 512 names, values and operators")
    );
    let padded = |bytes: usize| format!("1{}", " ".repeat(bytes - 1));
    assert_eq!(evaluated(&padded(SOURCE_BYTES_MAX)), "1");
    assert!(
        evaluated(&padded(SOURCE_BYTES_MAX + 1)).contains("4097 bytes exceed the maximum 4096")
    );
}

/// A chain of fields that each double the text before must not fill the memory.
#[test]
fn a_text_that_is_put_together_has_a_longest_length() {
    let check = |source: &str, bytes: usize, expected: &str| {
        let formula = Formula::compile(source, &|_| Some(Type::String)).unwrap();
        let value = result(&formula, &|_| text(&"x".repeat(bytes)), &moment());
        let got = if let Value::String(text) = &value {
            text.len().to_string()
        } else {
            value.to_string()
        };
        assert_eq!(got, expected, "{source}");
    };
    check("concat(a, a)", TEXT_BYTES_MAX / 2, "65536");
    check("concat(a, a, 'y')", TEXT_BYTES_MAX / 2, "null (text too long)");
    check("a + a", TEXT_BYTES_MAX / 2, "65536");
    check("a + a + 'y'", TEXT_BYTES_MAX / 2, "null (text too long)");
}

#[test]
fn today_is_the_date_in_the_customers_zone() {
    let check = |zone: chrono_tz::Tz, expected: &str| {
        let formula = compile("today()").unwrap();
        let moment = Moment::new(instant("2026-11-22T23:30:00Z"), zone);
        assert_eq!(shown(&result(&formula, &value_of, &moment)), expected);
    };
    check(chrono_tz::Europe::London, "date 2026-11-22");
    check(chrono_tz::Europe::Paris, "date 2026-11-23");
    check(chrono_tz::America::New_York, "date 2026-11-22");
    check(chrono_tz::Pacific::Kiritimati, "date 2026-11-23");
}

proptest! {
    /// Compiling any text says what is wrong, and evaluating gives a value: nothing panics, and no
    /// resulting number is infinite or NaN.
    #[test]
    fn nothing_throws(source in "[a-z0-9+*/%<>=!&|?:(),.\"' -]{0,60}") {
        if let Ok(formula) = compile(&source) {
            let value = result(&formula, &value_of, &moment());
            if let Value::Number(number) = value {
                prop_assert!(number.is_finite(), "{source}");
            }
        }
    }

    #[test]
    fn arithmetic_is_that_of_doubles_or_null(a in any::<f64>(), b in any::<f64>()) {
        let formula = Formula::compile("a / b + a * b - a % b", &|_| Some(Type::Number)).unwrap();
        prop_assume!(a.is_finite() && b.is_finite());
        let value_of = |name: &str| Value::Number(if name == "a" { a } else { b });
        let (quotient, product) = (a / b, a * b);
        let sum = quotient + product - a % b;
        match result(&formula, &value_of, &moment()) {
            Value::Number(number) => prop_assert_eq!(number.to_bits(), sum.to_bits()),
            _ => prop_assert!(!(quotient.is_finite() && product.is_finite() && sum.is_finite())),
        }
    }
}
