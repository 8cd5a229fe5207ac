//! The list of all calls at the root of the API, made from the contracts.

use bytes::Bytes;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use serde::Serialize;

use super::fixed::{METHOD, TEMPLATE, VALIDATE, VALIDATE_SUMMARY};
use crate::annotation::Annotations;

#[derive(Serialize)]
struct Index {
    data: Vec<ListedCall>,
}

/// One call.
#[derive(Serialize)]
struct ListedCall {
    method: String,
    path: String,
    /// Full name of the gRPC method; none for a call that only REST has.
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc: Option<String>,
    /// First sentence of its comment.
    summary: String,
}

/// The calls of `pool` that have a REST form, by path and method.
pub fn of(pool: &DescriptorPool) -> anyhow::Result<Bytes> {
    let annotations = Annotations::of(pool)?;
    let mut data = vec![ListedCall {
        method: "POST".to_owned(),
        path: VALIDATE.to_owned(),
        rpc: None,
        summary: VALIDATE_SUMMARY.to_owned(),
    }];
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        for rule in annotations.http_rules(&method)? {
            data.push(entry(rule.method.to_string(), rule.path, &method));
        }
        if format!("/{}/{}", method.parent_service().full_name(), method.name()) == METHOD {
            data.push(entry("POST".to_owned(), TEMPLATE.to_owned(), &method));
        }
    }
    data.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
    Ok(serde_json::to_vec(&Index { data })?.into())
}

fn entry(method: String, path: String, described: &MethodDescriptor) -> ListedCall {
    ListedCall {
        method,
        path,
        rpc: Some(described.full_name().to_owned()),
        summary: summary(described),
    }
}

/// The first sentence of a method's comment, on one line.
fn summary(method: &MethodDescriptor) -> String {
    let file = method.parent_file();
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let location =
        info.and_then(|info| info.location.iter().find(|location| location.path == method.path()));
    let comment = location.and_then(|location| location.leading_comments.as_deref());
    let words: Vec<&str> = comment.unwrap_or_default().split_whitespace().collect();
    let text = words.join(" ");
    match text.split_once(". ") {
        Some((sentence, _)) => sentence.to_owned(),
        None => text.trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_listed_with_its_summary() {
        let index: serde_json::Value =
            serde_json::from_slice(&of(&proffer_proto::POOL).unwrap()).unwrap();
        let data = index["data"].as_array().unwrap();
        assert!(data.len() > 90, "{}", data.len());
        for entry in data {
            assert!(!entry["summary"].as_str().unwrap().is_empty(), "{entry}");
        }
        let has = |method: &str, path: &str| {
            data.iter().any(|entry| entry["method"] == method && entry["path"] == path)
        };
        assert!(has("POST", "/api/v1/recommend"));
        assert!(has("POST", "/api/v1/validate"));
        assert!(has("GET", "/api/v1/offers/{id}"));
        assert!(has("POST", "/api/v1/schemas/{schema}/records:import"));
    }
}
