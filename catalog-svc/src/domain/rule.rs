//! Qualification rules as written: checks of their form, and their conditions with field paths.

use formula::{
    Type,
    rule::{CONDITIONS_MAX, CompiledRule, DEPTH_MAX, Literal, Operator, Rule},
};

use super::Faults;

/// Most rules of an offer, and of one list.
pub const RULES_MAX: usize = 100;

/// A condition and its path, as `qualification_rules[0].any[1]`.
#[derive(Clone, Debug)]
pub struct Placed<'a> {
    /// Where.
    pub path: String,
    /// The field.
    pub field: &'a str,
    /// The comparison.
    pub op: Operator,
    /// What it is compared with.
    pub value: &'a Literal,
}

/// Faults of the rules' shape: how many, how deep, how empty.
pub fn shape_faults(path: &str, rules: &[Rule]) -> Faults {
    let mut faults = Faults::new();
    if rules.len() > RULES_MAX {
        faults.push((
            path.to_owned(),
            format!("has {}, which exceeds the maximum {RULES_MAX}", rules.len()),
        ));
        return faults;
    }
    for (index, rule) in rules.iter().enumerate() {
        shape(format!("{path}[{index}]"), rule, 0, &mut faults);
    }
    // All rules of an offer must hold, so that together they are one condition tree.
    let count = conditions(path, rules).len();
    if faults.is_empty() && count > CONDITIONS_MAX {
        faults.push((
            path.to_owned(),
            format!("has {count} conditions, which exceeds the maximum {CONDITIONS_MAX}"),
        ));
    }
    faults
}

fn shape(path: String, rule: &Rule, depth: usize, faults: &mut Faults) {
    if depth > DEPTH_MAX {
        faults.push((path, format!("is nested deeper than the maximum {DEPTH_MAX}")));
        return;
    }
    let (word, rules) = match rule {
        Rule::Condition { .. } => return,
        Rule::Not(inner) => return shape(format!("{path}.not"), inner, depth + 1, faults),
        Rule::All(rules) => ("all", rules),
        Rule::Any(rules) => ("any", rules),
    };
    if rules.is_empty() || rules.len() > RULES_MAX {
        faults.push((
            format!("{path}.{word}"),
            format!("has {} rules; it must have 1 to {RULES_MAX}", rules.len()),
        ));
        return;
    }
    for (index, rule) in rules.iter().enumerate() {
        shape(format!("{path}.{word}[{index}]"), rule, depth + 1, faults);
    }
}

/// Every condition with its place, in the order in which they are written.
pub fn conditions<'a>(path: &str, rules: &'a [Rule]) -> Vec<Placed<'a>> {
    let mut found = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        collect(format!("{path}[{index}]"), rule, &mut found);
    }
    found
}

fn collect<'a>(path: String, rule: &'a Rule, found: &mut Vec<Placed<'a>>) {
    match rule {
        Rule::Condition { field, op, value } => found.push(Placed { path, field, op: *op, value }),
        Rule::Not(inner) => collect(format!("{path}.not"), inner, found),
        Rule::All(rules) => {
            rules
                .iter()
                .enumerate()
                .for_each(|(n, rule)| collect(format!("{path}.all[{n}]"), rule, found));
        }
        Rule::Any(rules) => {
            rules
                .iter()
                .enumerate()
                .for_each(|(n, rule)| collect(format!("{path}.any[{n}]"), rule, found));
        }
    }
}

/// What is wrong with a condition on a field of this type: the part at fault and why.
pub fn type_fault(placed: &Placed<'_>, of_type: Type) -> Option<(&'static str, String)> {
    let field = placed.field.to_owned();
    let rule = Rule::Condition { field, op: placed.op, value: placed.value.clone() };
    let faults = CompiledRule::compile(&rule, &|_| Some(of_type)).err()?;
    let message = faults.into_iter().next()?.message;
    Some((if takes(placed.op, of_type) { "value" } else { "op" }, message))
}

/// True when the comparison can be made with values of this type.
fn takes(op: Operator, of_type: Type) -> bool {
    use Operator::{Contains, EndsWith, Gt, Gte, Lt, Lte, Matches, NotContains, StartsWith};
    match op {
        // What has its type only in a decision is compared as what the value is.
        _ if of_type == Type::Any => true,
        Contains | NotContains | StartsWith | EndsWith | Matches => of_type == Type::String,
        Gt | Gte | Lt | Lte => of_type != Type::Boolean,
        _ => true,
    }
}

/// The type an attribute has when it is compared with this; none when presence is all that is asked
/// for.
pub fn literal_type(literal: &Literal) -> Option<Type> {
    match literal {
        Literal::Number(_) | Literal::Exact(_) => Some(Type::Number),
        Literal::Boolean(_) => Some(Type::Boolean),
        Literal::String(_) => Some(Type::String),
        Literal::List(items) => items.first().and_then(literal_type),
        Literal::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition() -> Rule {
        Rule::Condition { field: "a".into(), op: Operator::Eq, value: Literal::Number(1.0) }
    }

    fn nested(depth: usize) -> Rule {
        (0..depth).fold(condition(), |rule, _| Rule::Not(Box::new(rule)))
    }

    fn check(rules: &[Rule], expected: &[&str]) {
        let faults = shape_faults("rules", rules);
        assert_eq!(
            faults.iter().map(|(path, text)| format!("{path} {text}")).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn eight_levels_are_the_deepest() {
        check(&[nested(8)], &[]);
        check(
            &[nested(9)],
            &["rules[0].not.not.not.not.not.not.not.not.not is nested deeper than the maximum 8"],
        );
    }

    #[test]
    fn a_hundred_conditions_are_the_most_of_an_offer() {
        check(&vec![condition(); 100], &[]);
        check(&vec![condition(); 101], &["rules has 101, which exceeds the maximum 100"]);
        let fifty = Rule::All(vec![condition(); 50]);
        check(&[fifty.clone(), fifty.clone()], &[]);
        check(
            &[fifty.clone(), fifty, condition()],
            &["rules has 101 conditions, which exceeds the maximum 100"],
        );
    }

    #[test]
    fn an_empty_list_means_nothing() {
        check(&[Rule::Any(vec![])], &["rules[0].any has 0 rules; it must have 1 to 100"]);
    }

    #[test]
    fn conditions_come_with_their_places() {
        let rules = [
            condition(),
            Rule::Any(vec![condition(), Rule::Not(Box::new(Rule::All(vec![condition()])))]),
        ];
        let paths: Vec<_> =
            conditions("rules", &rules).into_iter().map(|placed| placed.path).collect();
        assert_eq!(paths, ["rules[0]", "rules[1].any[0]", "rules[1].any[1].not.all[0]"]);
    }

    #[test]
    fn a_fault_names_the_part_that_is_wrong() {
        let check = |op, value: Literal, of_type, expected: Option<&str>| {
            let placed = Placed { path: String::new(), field: "a", op, value: &value };
            assert_eq!(
                type_fault(&placed, of_type).map(|fault| fault.0),
                expected,
                "{op:?} {value:?} {of_type}"
            );
        };
        let text = || Literal::String("x".into());
        check(Operator::Contains, text(), Type::Number, Some("op"));
        check(Operator::Gt, Literal::Boolean(true), Type::Boolean, Some("op"));
        check(Operator::Eq, text(), Type::Number, Some("value"));
        check(Operator::In, text(), Type::String, Some("value"));
        check(Operator::Matches, Literal::String("(".into()), Type::String, Some("value"));
        check(Operator::Eq, text(), Type::String, None);
        check(Operator::Exists, Literal::None, Type::Date, None);
    }
}
