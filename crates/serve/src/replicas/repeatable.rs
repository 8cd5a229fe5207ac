//! Which calls may be done twice, and which service a method belongs to. The contracts say which
//! calls these are: reads, methods with the option `repeatable`, and requests with a key that
//! identifies a repetition.

use std::{collections::HashMap, sync::LazyLock};

use bytes::Bytes;
use proffer_proto::json::annotation::Annotations;
use prost_reflect::{
    DynamicMessage, MessageDescriptor, MethodDescriptor, ReflectMessage as _, Value,
};

/// Fields that tell a second request from a new one.
const KEYS: [&str; 2] = ["request_id", "idempotency_key"];
/// Bytes of a gRPC message before its content: a flag and a length.
const PREFIX_BYTES: usize = 5;

/// What a method says.
#[derive(Debug)]
enum Rule {
    /// Every call may be repeated.
    Always,
    /// Calls whose request has its keys.
    WithKey(MessageDescriptor),
}

/// Methods that may be repeated, by path. Any other may not.
static RULES: LazyLock<HashMap<String, Rule>> = LazyLock::new(|| {
    // INVARIANT: the contracts declare every option; a test would miss the rules otherwise.
    let Ok(options) = Annotations::of(&proffer_proto::POOL) else { return HashMap::new() };
    let methods =
        proffer_proto::POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let ruled = |method: MethodDescriptor| {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let input = method.input();
        let rule = match options.is_repeatable(&method) {
            Ok(true) => Rule::Always,
            _ if key(&input).is_some() || !keyed_parts(&input).is_empty() => Rule::WithKey(input),
            _ => return None,
        };
        Some((path, rule))
    };
    methods.filter(|method| !method.is_client_streaming()).filter_map(ruled).collect()
});

fn key(message: &MessageDescriptor) -> Option<&'static str> {
    KEYS.into_iter().find(|key| message.get_field_by_name(key).is_some())
}

/// Fields of a message whose messages have keys.
fn keyed_parts(message: &MessageDescriptor) -> Vec<String> {
    let parts = message.fields().filter(|field| {
        let kind = field.kind();
        !field.is_map() && kind.as_message().is_some_and(|part| key(part).is_some())
    });
    parts.map(|field| field.name().to_owned()).collect()
}

/// True when a call with this body may be done twice.
pub fn is_repeatable(path: &str, body: &Bytes) -> bool {
    match RULES.get(path) {
        Some(Rule::Always) => true,
        Some(Rule::WithKey(input)) => {
            let message = body.get(PREFIX_BYTES..).unwrap_or_default();
            // A compressed message cannot be read, and is not repeated.
            DynamicMessage::decode(input.clone(), message).is_ok_and(|request| has_keys(&request))
        }
        None => false,
    }
}

/// True when the request, or every message in it that may have a key, has its key.
fn has_keys(request: &DynamicMessage) -> bool {
    let descriptor = request.descriptor();
    if let Some(key) = key(&descriptor) {
        return is_given(request, key);
    }
    let is_keyed = |part: &Value| {
        let part = part.as_message();
        part.is_some_and(|part| key(&part.descriptor()).is_some_and(|key| is_given(part, key)))
    };
    let has_each = |part: &String| match request.get_field_by_name(part).as_deref() {
        Some(Value::List(items)) => !items.is_empty() && items.iter().all(is_keyed),
        Some(part) => is_keyed(part),
        None => false,
    };
    keyed_parts(&descriptor).iter().all(has_each)
}

fn is_given(message: &DynamicMessage, key: &str) -> bool {
    let value = message.get_field_by_name(key);
    value.as_deref().and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}

/// The service of a method, for people: `catalog-svc` for `/proffer.catalog.v1.…`, `log` for the
/// log that each of them has.
pub fn service(path: &str) -> &'static str {
    let package = path.trim_start_matches('/').trim_start_matches("proffer.");
    match package.trim_start_matches("internal.").split('.').next() {
        Some("catalog") => "catalog-svc",
        Some("policy") => "policy-svc",
        Some("decision") => "decision-svc",
        Some("experiment") => "experiment-svc",
        Some("values") => "log",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use proffer_proto::decision::v1::{
        OutcomeReport, RecommendBatchRequest, RecommendRequest, RespondBatchRequest, RespondRequest,
    };
    use prost::Message;

    use super::*;

    fn framed(message: &impl Message) -> Bytes {
        [vec![0; PREFIX_BYTES], message.encode_to_vec()].concat().into()
    }

    fn may(method: &str, message: &impl Message) -> bool {
        is_repeatable(&format!("/proffer.{method}"), &framed(message))
    }

    #[test]
    fn reads_and_marked_methods_may_be_repeated_and_writes_without_a_key_never() {
        for method in [
            "catalog.v1.OfferService/GetOffer",
            "decision.v1.DecisionService/Explain",
            "internal.policy.v1.ContactGateService/Reserve",
            "internal.policy.v1.ContactGateService/DeliverOutcomes",
            "internal.values.v1.LogService/WatchLog",
        ] {
            assert!(may(method, &()), "{method}");
        }
        for method in [
            "catalog.v1.OfferService/CreateOffer",
            "catalog.v1.OfferService/UpdateOffer",
            "catalog.v1.RecordService/PutRecord",
            "policy.v1.ConsentService/PutConsent",
            "decision.v1.DecisionService/CommitDecision",
            "internal.policy.v1.ContactGateService/ReleaseContact",
            "unknown.v1.Service/Get",
        ] {
            assert!(!may(method, &()), "{method}");
        }
    }

    #[test]
    fn a_request_with_a_key_may_be_repeated_and_a_batch_when_each_item_has_one() {
        let asked = |id: &str| RecommendRequest { request_id: id.into(), ..Default::default() };
        let recommend = "decision.v1.DecisionService/Recommend";
        assert!(may(recommend, &asked("r-1")) && !may(recommend, &asked("")));
        let batch = |ids: &[&str]| RecommendBatchRequest {
            requests: ids.iter().map(|id| asked(id)).collect(),
            ..Default::default()
        };
        let all = "decision.v1.DecisionService/RecommendBatch";
        assert!(may(all, &batch(&["a", "b"])));
        assert!(!may(all, &batch(&["a", ""])) && !may(all, &batch(&[])));
        let told = |key: &str| OutcomeReport { idempotency_key: key.into(), ..Default::default() };
        let one = |key: &str| RespondRequest { outcome: Some(told(key)) };
        let respond = "decision.v1.OutcomeService/Respond";
        assert!(may(respond, &one("k")) && !may(respond, &one("")));
        let batch = RespondBatchRequest { outcomes: vec![told("k")], ..Default::default() };
        assert!(may("decision.v1.OutcomeService/RespondBatch", &batch));
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        let path = "/proffer.decision.v1.DecisionService/Recommend";
        for body in [&b""[..], &[0; 3], &[0, 0, 0, 0, 1, 255]] {
            assert!(!is_repeatable(path, &Bytes::copy_from_slice(body)), "{body:?}");
        }
    }

    #[test]
    fn a_retry_is_counted_for_the_service_of_its_method() {
        assert_eq!(service("/proffer.catalog.v1.OfferService/GetOffer"), "catalog-svc");
        assert_eq!(service("/proffer.internal.policy.v1.ContactGateService/Check"), "policy-svc");
        assert_eq!(service("/proffer.internal.values.v1.LogService/WatchLog"), "log");
    }
}
