//! Decision flows: which are refused, which warn, and which do not decide.

use proffer_proto::{
    catalog::v1::{Condition, Operator, Rule, rule},
    decision::v1::{self as proto, node::Config},
    values::v1::{ResourceStatus, Value, ValueList, value},
};
use prost_types::FieldMask;
use tonic::Code;

use super::suite::{on_both, question, told, winback};

fn with_node(id: &str, config: Option<Config>) -> proto::DecisionFlow {
    let mut flow = winback();
    flow.name = "Other".to_owned();
    flow.config.as_mut().unwrap().nodes.insert(4, proto::Node { id: id.to_owned(), config });
    flow
}

fn condition(field: &str, op: Operator, value: &str) -> Rule {
    compared(field, op, value::Kind::StringValue(value.to_owned()))
}

fn compared(field: &str, op: Operator, value: value::Kind) -> Rule {
    let value = Some(Value { kind: Some(value) });
    Rule {
        kind: Some(rule::Kind::Condition(Condition {
            field: field.to_owned(),
            op: op.into(),
            value,
        })),
    }
}

/// The winback flow with another score node, and with `optimize` in place of its weights.
fn scored(score: proto::ScoreNode, optimize: Option<proto::OptimizeNode>) -> proto::DecisionFlow {
    let mut flow = proto::DecisionFlow { name: "Other".to_owned(), ..winback() };
    let nodes = &mut flow.config.as_mut().unwrap().nodes;
    nodes[5].config = Some(Config::Score(score));
    if let Some(optimize) = optimize {
        nodes[6].config = Some(Config::Rank(proto::RankNode::default()));
        nodes.insert(
            6,
            proto::Node { id: "opt".to_owned(), config: Some(Config::Optimize(optimize)) },
        );
    }
    flow
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_flow_is_refused_with_its_node() {
    on_both(async |suite| {
        let check = async |flow: proto::DecisionFlow, field: &str, part: &str| {
            let request = proto::CreateDecisionFlowRequest {
                decision_flow: Some(flow),
                ..Default::default()
            };
            let status = suite.flows.clone().create_decision_flow(request).await.unwrap_err();
            let (code, _, fields) = told(&status);
            assert_eq!((code, fields[0].as_str()), (Code::InvalidArgument, field));
            assert!(status.message().contains(part), "{}", status.message());
        };
        let nodes = "decision_flow.config.nodes";
        let group = with_node("g", Some(Config::Group(proto::UnservedNode {})));
        check(group, &format!("{nodes}[4].type"), "node `g`: type `group` is not yet supported")
            .await;
        let filter = |rules| with_node("f", Some(Config::Filter(proto::FilterNode { rules })));
        check(
            filter(vec![]),
            &format!("{nodes}[4].config.rules"),
            "node `f`: has 0 rules; it must have 1 to 100",
        )
        .await;
        let unreadable = filter(vec![condition("a b", Operator::Eq, "x")]);
        check(unreadable, &format!("{nodes}[4].config.rules[0]"), "`a b` is no name").await;
        let endless = filter(vec![condition("offer.name", Operator::Matches, "(")]);
        check(endless, &format!("{nodes}[4].config.rules[0]"), "condition on `offer.name`").await;
        // As in an offer's rules: nothing is assumed for an operator or a value that is missing.
        let unsaid = filter(vec![condition("offer.name", Operator::Unspecified, "x")]);
        check(unsaid, &format!("{nodes}[4].config.rules[0].op"), "is required: one of ==, !=")
            .await;
        let values = vec![Value { kind: Some(value::Kind::IntegerValue(1)) }, Value::default()];
        let list = value::Kind::ListValue(ValueList { values });
        let holed = filter(vec![compared("customer.visits", Operator::In, list)]);
        check(holed, &format!("{nodes}[4].config.rules[0].value"), "must not contain null").await;
        let odd = value::Kind::DecimalValue("1_0".to_owned());
        let odd = filter(vec![compared("customer.visits", Operator::Gt, odd)]);
        check(odd, &format!("{nodes}[4].config.rules[0].value"), "`1_0` is not a decimal").await;
        let optimize = proto::OptimizeNode { profile: "Winbak".into() };
        check(
            scored(proto::ScoreNode::default(), Some(optimize)),
            &format!("{nodes}[6].config.profile"),
            "node `opt`: weight profile `Winbak` not found; there is none yet",
        )
        .await;
        let score = |method: proto::ScoreMethod, formula: &str, model: &str| {
            let (method, formula, model) = (method.into(), formula.into(), model.into());
            scored(proto::ScoreNode { method, formula, model, min_uplift: None }, None)
        };
        let (formula, model) = (proto::ScoreMethod::Formula, proto::ScoreMethod::Model);
        check(score(formula, " ", ""), &format!("{nodes}[5].config.formula"), "is required").await;
        check(score(formula, "1 +", ""), &format!("{nodes}[5].config.formula"), "formula `1 +`")
            .await;
        check(score(model, "", "M"), &format!("{nodes}[5].config.model"), "model `M` not found")
            .await;
        check(score(model, "1", "M"), &format!("{nodes}[5].config.formula"), "leave it out").await;
        check(with_node("f", None), &format!("{nodes}[4].type"), "is required").await;
        let second = with_node("q2", Some(Config::Qualify(proto::QualifyNode {})));
        check(second, &format!("{nodes}[4]"), "node `q2`: a second `qualify`").await;
        check(
            proto::DecisionFlow { config: None, ..winback() },
            "decision_flow.config",
            "is required",
        )
        .await;
        check(
            proto::DecisionFlow { name: String::new(), ..winback() },
            "decision_flow.name",
            "is required",
        )
        .await;
        let mut weightless = winback();
        weightless.config.as_mut().unwrap().nodes[6].config = Some(Config::Rank(proto::RankNode {
            weights: Some(proto::Weights::default()),
            ..Default::default()
        }));
        check(weightless, &format!("{nodes}[6].config.weights"), "must be greater than 0").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_flow_does_not_decide_and_a_stale_etag_does_not_write() {
    on_both(async |suite| {
        let get = proto::GetDecisionFlowRequest { id: "winback".to_owned() };
        let stored = suite
            .flows
            .clone()
            .get_decision_flow(get)
            .await
            .unwrap()
            .into_inner()
            .decision_flow
            .unwrap();
        let pause = |etag: &str| proto::UpdateDecisionFlowRequest {
            id: "flow_winback".to_owned(),
            decision_flow: Some(proto::DecisionFlow {
                status: ResourceStatus::Paused.into(),
                etag: etag.to_owned(),
                ..Default::default()
            }),
            update_mask: Some(FieldMask { paths: vec!["status".to_owned()] }),
        };
        let stale = suite.flows.clone().update_decision_flow(pause("0000")).await.unwrap_err();
        assert_eq!(told(&stale).1, "ETAG_MISMATCH");
        suite.flows.clone().update_decision_flow(pause(&stored.etag)).await.unwrap();
        let refused = suite.recommend(question("cust_lapsed_1")).await.unwrap_err();
        assert_eq!(
            (refused.code(), told(&refused).1.as_str()),
            (Code::FailedPrecondition, "WRONG_STATE")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_without_a_contact_policy_node_is_taken_with_a_warning() {
    on_both(async |suite| {
        let mut flow = winback();
        flow.name = "Silent".to_owned();
        flow.config.as_mut().unwrap().nodes.remove(4);
        let request =
            proto::CreateDecisionFlowRequest { decision_flow: Some(flow), ..Default::default() };
        let stored = suite
            .flows
            .clone()
            .create_decision_flow(request)
            .await
            .unwrap()
            .into_inner()
            .decision_flow
            .unwrap();
        let says = |warning: &String| warning.contains("contact_policy");
        assert!(stored.warnings.iter().any(says), "{:?}", stored.warnings);
        assert_eq!(stored.status(), ResourceStatus::Active);
    })
    .await;
}
