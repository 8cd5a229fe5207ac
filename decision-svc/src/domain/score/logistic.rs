//! Logistic regression with coefficients that were estimated elsewhere. It is written out as one
//! formula, so that names, types and missing values mean what they mean in formulas.

use ::formula::{Formula, Type, rule::Literal};

use super::Input;

/// Most terms of a model.
pub const TERMS_MAX: usize = 40;
/// Greatest absolute value of a coefficient, an intercept or a stand-in.
pub const COEFFICIENT_MAX: f64 = 1e9;
/// Beyond this many log odds the propensity is 0 or 1 to the last bit that counts, and `exp` stays
/// finite.
const LOG_ODDS_MAX: f64 = 700.0;

/// Logistic regression: 1 / (1 + e^-z), z = intercept + Σ coefficient × x.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logistic {
    /// The estimate in log odds when every x is 0.
    pub intercept: f64,
    /// The terms of the sum.
    pub terms: Vec<Term>,
}

/// One term of the sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The input, a name as in formulas.
    pub field: String,
    /// In log odds.
    pub coefficient: f64,
    /// x is 1 where the field has this value, 0 where it has another; none when x is the field
    /// itself.
    pub equals: Option<Literal>,
    /// x where the field is missing; without it there is no score.
    pub when_missing: Option<f64>,
}

impl Logistic {
    /// Its faults: (path within the resource, what is wrong).
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if self.terms.len() > TERMS_MAX {
            let count = self.terms.len();
            return vec![(
                "terms".to_owned(),
                format!("has {count}, which exceeds the maximum {TERMS_MAX}"),
            )];
        }
        let mut bounded = |path: String, number: f64| {
            if !(-COEFFICIENT_MAX..=COEFFICIENT_MAX).contains(&number) {
                faults.push((path, format!("is {number}; it must lie between -10^9 and 10^9")));
            }
        };
        bounded("intercept".to_owned(), self.intercept);
        for (index, term) in self.terms.iter().enumerate() {
            bounded(format!("terms[{index}].coefficient"), term.coefficient);
            bounded(format!("terms[{index}].when_missing"), term.when_missing.unwrap_or_default());
        }
        for (index, term) in self.terms.iter().enumerate() {
            let is_name =
                Formula::names(&term.field).is_ok_and(|names| names == [term.field.as_str()]);
            if !is_name {
                let message = "must be a name as in formulas: `customer.x`, `attributes.x`, \
                               `offer.x`, `metrics.x` or `x`";
                faults.push((format!("terms[{index}].field"), message.to_owned()));
            }
            if matches!(term.equals, Some(Literal::List(_) | Literal::None)) {
                let message = "must be a text, a number or a boolean";
                faults.push((format!("terms[{index}].equals"), message.to_owned()));
            }
        }
        if faults.is_empty()
            && let Err(error) = Formula::names(&self.formula())
        {
            faults.push(("terms".to_owned(), format!("the sum is too long: {error}")));
        }
        faults
    }

    /// One number: what the whole formula gives.
    pub(super) fn inputs(&self) -> Vec<Input> {
        vec![Input { formula: self.formula(), types: self.types() }]
    }

    /// The propensity, NaN where the formula gives none.
    #[inline]
    pub(super) fn propensity(&self, mut number: impl FnMut(usize) -> Option<f64>) -> f64 {
        number(0).unwrap_or(f64::NAN)
    }

    /// Types of the inputs: a number, or that of the value it is compared with.
    fn types(&self) -> Vec<(String, Type)> {
        let of = |term: &Term| match &term.equals {
            Some(Literal::String(_)) => Type::String,
            Some(Literal::Boolean(_)) => Type::Boolean,
            _ => Type::Number,
        };
        self.terms.iter().map(|term| (term.field.clone(), of(term))).collect()
    }

    /// The model as a formula that gives the propensity.
    fn formula(&self) -> String {
        let mut sum = number(self.intercept);
        for term in &self.terms {
            sum.push_str(" + ");
            sum.push_str(&term.formula());
        }
        let most = number(LOG_ODDS_MAX);
        format!("1 / (1 + exp(-clamp({sum}, -{most}, {most})))")
    }
}

impl Term {
    fn formula(&self) -> String {
        let field = &self.field;
        let x = match &self.equals {
            None => field.clone(),
            Some(Literal::String(text)) => format!("({field} == {} ? 1 : 0)", quoted(text)),
            Some(Literal::Number(value)) => format!("({field} == {} ? 1 : 0)", number(*value)),
            Some(Literal::Exact(value)) => format!("({field} == ({value}) ? 1 : 0)"),
            Some(Literal::Boolean(is)) => format!("({field} == {is} ? 1 : 0)"),
            // Refused by `faults`.
            Some(Literal::List(_) | Literal::None) => "0".to_owned(),
        };
        let x = self
            .when_missing
            .map_or_else(|| x.clone(), |missing| format!("coalesce({x}, {})", number(missing)));
        format!("{} * {x}", number(self.coefficient))
    }
}

/// A number as a formula writes it: no exponent, and a sign in parentheses.
fn number(value: f64) -> String {
    if value < 0.0 { format!("({value})") } else { format!("{value}") }
}

/// A text as a formula writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(control)))
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use ::formula::{Cause, Moment, Value};

    use super::*;

    fn term(field: &str, coefficient: f64) -> Term {
        Term { field: field.to_owned(), coefficient, equals: None, when_missing: None }
    }

    fn score(model: &Logistic, values: &[(&str, Value)]) -> Value {
        assert_eq!(model.faults(), []);
        let of = |name: &str| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        let type_of =
            |name: &str| Some(of(name).and_then(|value| value.type_of()).unwrap_or(Type::Number));
        let formula = Formula::compile(&model.formula(), &type_of).unwrap();
        let moment = Moment::new(chrono::DateTime::UNIX_EPOCH, chrono_tz::UTC);
        formula.evaluate(
            &|name| of(name).unwrap_or_else(|| Value::Null(Cause::missing(name))),
            &moment,
        )
    }

    /// A published example of an online learner: logit 1.455, score 0.8108.
    #[test]
    fn a_sum_of_numbers_scores_as_worked_by_hand() {
        let terms = vec![term("credit", 0.004), term("income", 0.000_015), term("age", 0.005)];
        let model = Logistic { intercept: -3.2, terms };
        let values = [("credit", 760.0), ("income", 95_000.0), ("age", 38.0)]
            .map(|(name, x)| (name, Value::Number(x)));
        let Value::Number(found) = score(&model, &values) else { panic!("no number") };
        assert!((found - 0.8108).abs() < 5e-5, "{found}");
    }

    #[test]
    fn a_category_counts_where_it_is_met() {
        let gold = Term { equals: Some(Literal::String("Go\"ld\\".into())), ..term("tier", 2.0) };
        let model = Logistic { intercept: 0.0, terms: vec![gold] };
        let of = |text: &str| score(&model, &[("tier", Value::String(text.into()))]);
        assert_eq!(of("Go\"ld\\"), Value::Number(1.0 / (1.0 + libm::exp(-2.0))));
        assert_eq!(of("Silver"), Value::Number(0.5));
    }

    #[test]
    fn a_missing_input_has_no_score_unless_something_stands_in() {
        let mut model = Logistic { intercept: 0.0, terms: vec![term("age", 1.0)] };
        assert!(matches!(score(&model, &[]), Value::Null(_)));
        model.terms[0].when_missing = Some(0.0);
        assert_eq!(score(&model, &[]), Value::Number(0.5));
    }

    #[test]
    fn no_sum_is_too_great() {
        let of = |x: f64| score(&Logistic { intercept: x, terms: Vec::new() }, &[]);
        let Value::Number(least) = of(-1e9) else { panic!("no number") };
        assert!(least < 1e-300, "{least}");
        assert_eq!(of(1e9), Value::Number(1.0));
    }

    #[test]
    fn every_fault_has_its_path() {
        let terms = vec![
            Term { equals: Some(Literal::None), ..term("a + b", f64::NAN) },
            Term { when_missing: Some(2e9), ..term("customer.age", 1.0) },
        ];
        let paths: Vec<_> =
            Logistic { intercept: 0.0, terms }.faults().into_iter().map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            ["terms[0].coefficient", "terms[1].when_missing", "terms[0].field", "terms[0].equals"]
        );
        let long = vec![term(&"x".repeat(110), 1.0); TERMS_MAX];
        assert_eq!(Logistic { intercept: 0.0, terms: long }.faults()[0].0, "terms");
    }
}
