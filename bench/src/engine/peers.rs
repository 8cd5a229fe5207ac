//! Other engines on the same catalog: the two formulas of every category and the rules of every
//! offer. Customers are loaded into each engine's own value type, also into ours, and expressions
//! are compiled. The floor's code scores qualifying offers, and dates are already numbers; both
//! favor the other engines. Formulas run once per category, as in the catalog. Only our engine may
//! find out that they are equal; the decision table gets them once.

use std::hint::black_box;

use anyhow::{anyhow, ensure};
use cel::{Context, Program, Value as CelValue};
use chrono::{Datelike as _, NaiveDate};
use decision_svc::domain::scratch::Scratch;
use serde_json::{Map, Value, json};
use zen_engine::{Decision, model::DecisionContent};
use zen_expression::{
    Expression, Isolate, Scope, Variable, expression::Standard, variable::Symbol, vm::VM,
};

use super::{
    BEST, Best, agree, compare,
    floor::{Floor, Top, best_of},
    ours::Ours,
    workload::{CUSTOMERS, Customer, OfferRow, Shape, Workload, category_word},
};
use crate::ratio::Goal;

/// Names of the two computed fields.
const DAYS: &str = "daysSinceLastPurchase";
const RECOVERABLE: &str = "isRecoverable";
/// Their formulas in the language of zen-engine's decision graph.
const ZEN_DAYS: &str = "round((today - lastPurchaseDate) / 86400)";
const ZEN_RECOVERABLE: &str = "lifetimePurchases >= 3 and lifetimeRevenue >= 50";

fn customer_json(customer: &Customer, workload: &Workload) -> Value {
    json!({
        "age": 40,
        "consentEmail": true,
        "country": "GB",
        "lastPurchaseDate": seconds(customer.last_purchase),
        "lifetimePurchases": customer.purchases,
        "lifetimeRevenue": customer.revenue,
        "primaryCategory": category_word(customer.category),
        "today": seconds(workload.today),
    })
}

fn seconds(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce()) * 86_400
}

fn conjunction(offer: &OfferRow, and: &str, quote: char) -> String {
    [
        format!("primaryCategory == {quote}{}{quote}", category_word(offer.category)),
        format!("{DAYS} >= {}", offer.days_min),
        format!("{DAYS} <= {}", offer.days_max),
        format!("{RECOVERABLE} == true"),
    ]
    .join(and)
}

const NONE: Top = [(f64::NEG_INFINITY, u32::MAX); BEST];

/// A category compiled for an engine: its formulas, and the numbers of its offers.
struct Category<E> {
    days: E,
    recoverable: E,
    offers: Vec<(usize, E)>,
}

/// Compiles each category.
fn categories<E>(
    workload: &Workload,
    days: &str,
    (and, quote): (&str, char),
    mut compile: impl FnMut(&str) -> anyhow::Result<E>,
) -> anyhow::Result<Vec<Category<E>>> {
    let recoverable = format!("lifetimePurchases >= 3{and}lifetimeRevenue >= 50.0");
    let mut category = |number: usize| {
        let offers =
            workload.offers.iter().enumerate().filter(|(_, offer)| offer.category == number);
        let offers = offers.map(|(at, offer)| Ok((at, compile(&conjunction(offer, and, quote))?)));
        let offers = offers.collect::<anyhow::Result<_>>()?;
        Ok(Category { days: compile(days)?, recoverable: compile(&recoverable)?, offers })
    };
    (0..workload.categories).map(&mut category).collect()
}

struct ZenExpressions {
    categories: Vec<Category<Expression<Standard>>>,
    customers: Vec<Scope>,
    names: [Symbol; 2],
}

impl ZenExpressions {
    fn new(workload: &Workload) -> anyhow::Result<Self> {
        let mut isolate = Isolate::new();
        let days = "round((today - lastPurchaseDate) / 86400)";
        let compile = |source: &str| {
            isolate.compile_standard(source).map_err(|error| anyhow!("{source}: {error}"))
        };
        let scope =
            |customer: &Customer| Scope::new(Variable::from(customer_json(customer, workload)));
        Ok(Self {
            categories: categories(workload, days, (" and ", '\''), compile)?,
            customers: workload.customers.iter().map(scope).collect(),
            names: [Variable::key(DAYS), Variable::key(RECOVERABLE)],
        })
    }

    fn top(&mut self, customer: usize, floor: &Floor, vm: &mut VM) -> Top {
        let mut top = NONE;
        let scope = &mut self.customers[customer];
        let mut value = |expression: &Expression<Standard>, scope: &Scope| {
            expression.evaluate_with_scope(scope, vm).unwrap_or(Variable::Null)
        };
        for category in &self.categories {
            for (name, formula) in self.names.iter().zip([&category.days, &category.recoverable]) {
                let value = value(formula, scope);
                scope.set_local(name.clone(), value);
            }
            for (number, offer) in &category.offers {
                if value(offer, scope).as_bool() == Some(true) {
                    floor.place(*number, floor.score(*number), &mut top);
                }
            }
        }
        top
    }
}

struct ZenTable {
    table: Decision,
    customers: Vec<Variable>,
}

impl ZenTable {
    fn new(workload: &Workload) -> anyhow::Result<Self> {
        let rule = |(number, offer): (usize, &OfferRow)| {
            let mut rule = Map::new();
            rule.insert("_id".into(), json!(format!("r{number}")));
            rule.insert("c".into(), json!(format!("\"{}\"", category_word(offer.category))));
            rule.insert("d".into(), json!(format!("[{}..{}]", offer.days_min, offer.days_max)));
            rule.insert("r".into(), json!("true"));
            rule.insert("o".into(), json!(number.to_string()));
            Value::Object(rule)
        };
        let rules: Vec<Value> = workload.offers.iter().enumerate().map(rule).collect();
        let content = json!({
            "nodes": [
                { "id": "in", "name": "request", "type": "inputNode", "content": {} },
                { "id": "fx", "name": "computed", "type": "expressionNode", "content": {
                    "passThrough": true,
                    "expressions": [
                        { "id": "e1", "key": DAYS, "value": ZEN_DAYS },
                        { "id": "e2", "key": RECOVERABLE, "value": ZEN_RECOVERABLE },
                    ],
                } },
                { "id": "dt", "name": "offers", "type": "decisionTableNode", "content": {
                    "hitPolicy": "collect",
                    "inputs": [
                        { "id": "c", "name": "Category", "field": "primaryCategory" },
                        { "id": "d", "name": "Days", "field": DAYS },
                        { "id": "r", "name": "Recoverable", "field": RECOVERABLE },
                    ],
                    "outputs": [{ "id": "o", "name": "Offer", "field": "offer" }],
                    "rules": rules,
                } },
                { "id": "out", "name": "out", "type": "outputNode", "content": {} },
            ],
            "edges": [
                { "id": "e1", "sourceId": "in", "targetId": "fx" },
                { "id": "e2", "sourceId": "fx", "targetId": "dt" },
                { "id": "e3", "sourceId": "dt", "targetId": "out" },
            ],
        });
        let content: DecisionContent = serde_json::from_value(content)?;
        let DecisionContent::Graph(graph) = content else { return Err(anyhow!("not a graph")) };
        let mut table = Decision::from(graph);
        table.compile();
        let variable = |customer: &Customer| Variable::from(customer_json(customer, workload));
        Ok(Self { table, customers: workload.customers.iter().map(variable).collect() })
    }

    fn top(&self, customer: usize, floor: &Floor) -> Top {
        let mut top = NONE;
        let context = self.customers[customer].clone();
        let Ok(response) = futures::executor::block_on(self.table.evaluate(context)) else {
            return top;
        };
        let Variable::Array(rows) = &response.result else { return top };
        for row in rows.borrow().iter() {
            let offer = row.dot("offer").and_then(|offer| offer.as_number());
            if let Some(number) = offer.and_then(|offer| usize::try_from(offer).ok()) {
                floor.place(number, floor.score(number), &mut top);
            }
        }
        top
    }
}

struct Cel {
    categories: Vec<Category<Program>>,
    customers: Vec<Context<'static, 'static>>,
}

impl Cel {
    fn new(workload: &Workload) -> anyhow::Result<Self> {
        let compile =
            |source: &str| Program::compile(source).map_err(|error| anyhow!("{source}: {error}"));
        let context = |customer: &Customer| {
            let mut context = Context::default();
            context.add_variable_from_value("age", CelValue::Int(40));
            context.add_variable_from_value("consentEmail", CelValue::Bool(true));
            context.add_variable_from_value("country", "GB");
            context.add_variable_from_value(
                "lastPurchaseDate",
                CelValue::Int(seconds(customer.last_purchase)),
            );
            context.add_variable_from_value("lifetimePurchases", CelValue::Int(customer.purchases));
            context.add_variable_from_value("lifetimeRevenue", CelValue::Float(customer.revenue));
            context.add_variable_from_value("primaryCategory", category_word(customer.category));
            context.add_variable_from_value("today", CelValue::Int(seconds(workload.today)));
            context
        };
        Ok(Self {
            // CEL has no `round`, so this divides whole numbers without a remainder.
            categories: categories(
                workload,
                "(today - lastPurchaseDate) / 86400",
                (" && ", '"'),
                compile,
            )?,
            customers: workload.customers.iter().map(context).collect(),
        })
    }

    fn top(&mut self, customer: usize, floor: &Floor) -> Top {
        let mut top = NONE;
        let context = &mut self.customers[customer];
        for category in &self.categories {
            for (name, formula) in [(DAYS, &category.days), (RECOVERABLE, &category.recoverable)] {
                let value = formula.execute(context).unwrap_or(CelValue::Null);
                context.add_variable_from_value(name, value);
            }
            for (number, offer) in &category.offers {
                if offer.execute(context) == Ok(CelValue::Bool(true)) {
                    floor.place(*number, floor.score(*number), &mut top);
                }
            }
        }
        top
    }
}

/// Runs the rounds and prints the report.
pub fn run(rounds: usize) -> anyhow::Result<()> {
    for offers in [9, 100, 1_000, 10_000] {
        let workload = Workload::new(offers, Shape::Shared);
        let (floor, ours) = (Floor::new(&workload), Ours::new(&workload));
        let (records, mut scratch) = (ours.taken_in(), Scratch::default());
        let best = |customer: usize| -> Best { floor.best(customer) };
        agree("the floor and ours", best, |customer| ours.best(customer))?;
        ensure!(
            (0..CUSTOMERS).any(|customer| !best(customer).is_empty()),
            "no customer qualifies for an offer"
        );
        let ours_name = "CPU of our evaluation, best three, ns";

        let mut zen = ZenExpressions::new(&workload)?;
        let mut vm = VM::new();
        agree("the floor and zen-expression", best, |customer| {
            best_of(&zen.top(customer, &floor, &mut vm))
        })?;
        compare(
            rounds,
            &format!("zen-expression over ours, dense, {offers} offers"),
            ("CPU of zen-expression, ns", &mut |customer| {
                black_box(zen.top(black_box(customer), &floor, &mut vm));
            }),
            (ours_name, &mut |customer| ours.evaluate_taken_in(customer, &records, &mut scratch)),
            Goal::AtLeast(40.0),
        );
        drop(zen);

        let table = ZenTable::new(&workload)?;
        agree("the floor and zen-engine", best, |customer| best_of(&table.top(customer, &floor)))?;
        compare(
            rounds,
            &format!("zen-engine's decision table over ours, dense, {offers} offers"),
            ("CPU of a zen-engine table, ns", &mut |customer| {
                black_box(table.top(black_box(customer), &floor));
            }),
            (ours_name, &mut |customer| ours.evaluate_taken_in(customer, &records, &mut scratch)),
            Goal::AtLeast(80.0),
        );
        drop(table);

        let mut cel = Cel::new(&workload)?;
        agree("the floor and cel", best, |customer| best_of(&cel.top(customer, &floor)))?;
        compare(
            rounds,
            &format!("cel over ours, dense, {offers} offers"),
            ("CPU of cel, ns", &mut |customer| {
                black_box(cel.top(black_box(customer), &floor));
            }),
            (ours_name, &mut |customer| ours.evaluate_taken_in(customer, &records, &mut scratch)),
            Goal::AtLeast(40.0),
        );
    }
    Ok(())
}
