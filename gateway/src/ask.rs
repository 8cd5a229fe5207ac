//! What a call asks of admission: whom it comes from, what it costs and what it needs.

use http::Extensions;
use prost::{
    bytes::Buf,
    encoding::{DecodeContext, WireType, decode_key, skip_field},
};
use serve::{Ask, Line, Needs};

use crate::neighbours::Service;

/// Items of a batch that cost as much as a call of its own.
const ITEMS_PER_TURN: usize = 100;
/// Bytes of a body that do.
const BYTES_PER_TURN: usize = 1 << 20;
/// A smaller body is one turn, whatever it holds.
const SMALL_BYTES: usize = 4 << 10;

/// Methods whose calls are urgent: a withdrawal must get in while decisions fill the process.
const URGENT: [&str; 3] = [
    "/proffer.policy.v1.ConsentService/PutConsent",
    "/proffer.decision.v1.OutcomeService/Respond",
    "/proffer.decision.v1.OutcomeService/RespondBatch",
];
/// Service of decisions: its calls ask policy-svc.
const DECIDING: &str = "/proffer.decision.v1.DecisionService/";
/// Methods of it that only read what is stored.
const STORED: [&str; 2] = [
    "/proffer.decision.v1.DecisionService/GetDecision",
    "/proffer.decision.v1.DecisionService/ListDecisions",
];

/// What a call of `path` asks for, with the items and bytes of its body.
pub fn of(
    extensions: &Extensions,
    (service, path): (Service, &str),
    (items, bytes): (usize, usize),
) -> Ask {
    let needs = match service {
        Service::Catalog => Needs::Catalog,
        Service::Policy => Needs::Policy,
        Service::Decision if path.starts_with(DECIDING) && !STORED.contains(&path) => Needs::Policy,
        Service::Decision => Needs::Decisions,
        Service::Experiment => Needs::Experiments,
    };
    Ask {
        peer: extensions.get::<Line>().and_then(Line::peer),
        cost: 1 + items / ITEMS_PER_TURN + bytes / BYTES_PER_TURN,
        needs,
        is_patient: false,
        is_urgent: URGENT.contains(&path),
    }
}

/// Items in an encoded message behind its prefix: its parts that are messages or texts.
pub fn items_in_message(framed: &[u8], prefix_bytes: usize) -> usize {
    if framed.len() < SMALL_BYTES {
        return 0;
    }
    let mut rest = framed.get(prefix_bytes..).unwrap_or_default();
    let mut items = 0;
    while rest.has_remaining() {
        let Ok((tag, kind)) = decode_key(&mut rest) else { break };
        items += usize::from(kind == WireType::LengthDelimited);
        if skip_field(kind, tag, &mut rest, DecodeContext::default()).is_err() {
            break;
        }
    }
    items
}

/// Items in a body of JSON: objects in a list of the outermost object.
pub fn items_in_json(body: &[u8]) -> usize {
    if body.len() < SMALL_BYTES {
        return 0;
    }
    let (mut depth, mut items, mut in_text, mut is_escaped) = (0_usize, 0, false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => {
                items += usize::from(*byte == b'{' && depth == 2);
                depth += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use proffer_proto::decision::v1::{RecommendBatchRequest, RecommendRequest};
    use prost::Message as _;

    use super::*;

    fn check(path: &str, service: Service, expected: (Needs, bool)) {
        let ask = of(&Extensions::new(), (service, path), (0, 0));
        assert_eq!((ask.needs, ask.is_urgent, ask.cost), (expected.0, expected.1, 1), "{path}");
        assert!(proffer_proto::POOL.services().any(|service| {
            service
                .methods()
                .any(|method| path == format!("/{}/{}", service.full_name(), method.name()))
        }));
    }

    #[test]
    fn decisions_need_policy_and_outcomes_are_urgent() {
        let decision = |name: &str| format!("/proffer.decision.v1.{name}");
        let of = Service::Decision;
        check(&decision("DecisionService/Recommend"), of, (Needs::Policy, false));
        check(&decision("DecisionService/GetDecision"), of, (Needs::Decisions, false));
        check(&decision("DecisionService/ListDecisions"), of, (Needs::Decisions, false));
        check(&decision("OutcomeService/Respond"), of, (Needs::Decisions, true));
        check(&decision("OutcomeService/RespondBatch"), of, (Needs::Decisions, true));
        check(
            "/proffer.policy.v1.ConsentService/PutConsent",
            Service::Policy,
            (Needs::Policy, true),
        );
    }

    #[test]
    fn a_batch_costs_by_its_items_and_a_body_by_its_bytes() {
        let requests =
            vec![RecommendRequest { customer_id: "c{\"[".to_owned(), ..Default::default() }; 1_000];
        let batch = RecommendBatchRequest { requests, ..Default::default() };
        let framed = [vec![0; 5], batch.encode_to_vec()].concat();
        assert_eq!(items_in_message(&framed, 5), 1_000);
        let items = vec![r#"{"customerId":"c{\"[","fields":[{"a":{}}]}"#; 1_000].join(",");
        assert_eq!(items_in_json(format!(r#"{{"requests":[{items}]}}"#).as_bytes()), 1_000);
        let ask =
            |items, bytes| of(&Extensions::new(), (Service::Catalog, "/x"), (items, bytes)).cost;
        assert_eq!((ask(99, 0), ask(100, 0), ask(1_000, 0)), (1, 2, 11));
        assert_eq!((ask(0, BYTES_PER_TURN - 1), ask(0, BYTES_PER_TURN)), (1, 2));
    }

    #[test]
    fn garbage_has_few_items_and_ends() {
        for garbage in [vec![0xff; 10_000], vec![0; 10_000], b"{".repeat(10_000)] {
            items_in_message(&garbage, 5);
            assert!(items_in_json(&garbage) <= 1);
        }
    }
}
