//! Engines of others on the same rules. Only the qualification is theirs: the two formulas are worked out for them
//! beforehand, customers are ready in their own value types, expressions are compiled, and what qualifies is scored by
//! the floor's code. So the numbers favour them.

use std::hint::black_box;

use anyhow::{anyhow, ensure};
use cel::{Context, Program, Value as CelValue};
use serde_json::{Map, Value, json};
use zen_engine::{Decision, model::DecisionContent};
use zen_expression::{Expression, Isolate, Scope, Variable, expression::Standard, vm::VM};

use super::{
    BEST, Best, agree, compare,
    floor::{Floor, Top, best_of},
    ours::Ours,
    workload::{CUSTOMERS, Customer, OfferRow, Shape, Workload, category_word},
};
use crate::ratio::Goal;

fn customer_json(customer: &Customer, workload: &Workload) -> Value {
    json!({
        "age": 40,
        "consentEmail": true,
        "country": "GB",
        "daysSinceLastPurchase": customer.days(workload.today),
        "isRecoverable": customer.is_recoverable(),
        "lifetimePurchases": customer.purchases,
        "lifetimeRevenue": customer.revenue,
        "primaryCategory": category_word(customer.category),
    })
}

fn conjunction(offer: &OfferRow, and: &str, quote: char) -> String {
    [
        format!("primaryCategory == {quote}{}{quote}", category_word(offer.category)),
        format!("daysSinceLastPurchase >= {}", offer.days_min),
        format!("daysSinceLastPurchase <= {}", offer.days_max),
        "isRecoverable == true".to_owned(),
    ]
    .join(and)
}

const NONE: Top = [(f64::NEG_INFINITY, u32::MAX); BEST];

struct ZenExpressions {
    offers: Vec<Expression<Standard>>,
    customers: Vec<Scope>,
}

impl ZenExpressions {
    fn new(workload: &Workload) -> anyhow::Result<Self> {
        let mut isolate = Isolate::new();
        let mut offers = Vec::new();
        for offer in &workload.offers {
            let source = conjunction(offer, " and ", '\'');
            offers.push(isolate.compile_standard(&source).map_err(|error| anyhow!("{source}: {error}"))?);
        }
        let scope = |customer: &Customer| Scope::new(Variable::from(customer_json(customer, workload)));
        Ok(Self { offers, customers: workload.customers.iter().map(scope).collect() })
    }

    fn top(&self, customer: usize, floor: &Floor, vm: &mut VM) -> Top {
        let mut top = NONE;
        for (number, offer) in self.offers.iter().enumerate() {
            let holds = offer.evaluate_with_scope(&self.customers[customer], vm).ok().and_then(|value| value.as_bool());
            if holds == Some(true) {
                floor.place(number, floor.score(number), &mut top);
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
                { "id": "dt", "name": "offers", "type": "decisionTableNode", "content": {
                    "hitPolicy": "collect",
                    "inputs": [
                        { "id": "c", "name": "Category", "field": "primaryCategory" },
                        { "id": "d", "name": "Days", "field": "daysSinceLastPurchase" },
                        { "id": "r", "name": "Recoverable", "field": "isRecoverable" },
                    ],
                    "outputs": [{ "id": "o", "name": "Offer", "field": "offer" }],
                    "rules": rules,
                } },
                { "id": "out", "name": "out", "type": "outputNode", "content": {} },
            ],
            "edges": [
                { "id": "e1", "sourceId": "in", "targetId": "dt" },
                { "id": "e2", "sourceId": "dt", "targetId": "out" },
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
        let Ok(response) = futures::executor::block_on(self.table.evaluate(context)) else { return top };
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
    offers: Vec<Program>,
    customers: Vec<Context<'static, 'static>>,
}

impl Cel {
    fn new(workload: &Workload) -> anyhow::Result<Self> {
        let mut offers = Vec::new();
        for offer in &workload.offers {
            let source = conjunction(offer, " && ", '"');
            offers.push(Program::compile(&source).map_err(|error| anyhow!("{source}: {error}"))?);
        }
        let context = |customer: &Customer| {
            let mut context = Context::default();
            context.add_variable_from_value("age", CelValue::Int(40));
            context.add_variable_from_value("consentEmail", CelValue::Bool(true));
            context.add_variable_from_value("country", "GB");
            context
                .add_variable_from_value("daysSinceLastPurchase", CelValue::Int(customer.days(workload.today).into()));
            context.add_variable_from_value("isRecoverable", CelValue::Bool(customer.is_recoverable()));
            context.add_variable_from_value("lifetimePurchases", CelValue::Int(customer.purchases));
            context.add_variable_from_value("lifetimeRevenue", CelValue::Float(customer.revenue));
            context.add_variable_from_value("primaryCategory", category_word(customer.category));
            context
        };
        Ok(Self { offers, customers: workload.customers.iter().map(context).collect() })
    }

    fn top(&self, customer: usize, floor: &Floor) -> Top {
        let mut top = NONE;
        for (number, offer) in self.offers.iter().enumerate() {
            if offer.execute(&self.customers[customer]) == Ok(CelValue::Bool(true)) {
                floor.place(number, floor.score(number), &mut top);
            }
        }
        top
    }
}

/// Measures and prints.
pub fn run(rounds: usize) -> anyhow::Result<()> {
    for offers in [9, 100, 1_000, 10_000] {
        let workload = Workload::new(offers, Shape::Shared);
        let (floor, ours) = (Floor::new(&workload), Ours::new(&workload));
        let mut scratch = ours.scratch();
        let best = |customer: usize| -> Best { floor.best(customer) };
        agree("the floor and ours", best, |customer| ours.best(customer))?;
        ensure!((0..CUSTOMERS).any(|customer| !best(customer).is_empty()), "nobody qualifies");
        let ours_name = "CPU of our evaluation, best three, ns";

        let zen = ZenExpressions::new(&workload)?;
        let mut vm = VM::new();
        agree("the floor and zen-expression", best, |customer| best_of(&zen.top(customer, &floor, &mut VM::new())))?;
        compare(
            rounds,
            &format!("zen-expression over ours, dense, {offers} offers"),
            ("CPU of zen-expression, ns", &mut |customer| {
                black_box(zen.top(black_box(customer), &floor, &mut vm));
            }),
            (ours_name, &mut |customer| ours.evaluate(customer, &mut scratch)),
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
            (ours_name, &mut |customer| ours.evaluate(customer, &mut scratch)),
            Goal::AtLeast(80.0),
        );
        drop(table);

        let cel = Cel::new(&workload)?;
        agree("the floor and cel", best, |customer| best_of(&cel.top(customer, &floor)))?;
        compare(
            rounds,
            &format!("cel over ours, dense, {offers} offers"),
            ("CPU of cel, ns", &mut |customer| {
                black_box(cel.top(black_box(customer), &floor));
            }),
            (ours_name, &mut |customer| ours.evaluate(customer, &mut scratch)),
            Goal::AtLeast(40.0),
        );
    }
    Ok(())
}
