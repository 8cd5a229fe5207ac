//! The methods of the contracts, by their path.

use std::{collections::HashMap, sync::LazyLock};

/// A method of the contracts.
#[derive(Debug)]
pub struct Method {
    /// Its full name, such as `proffer.decision.v1.DecisionService/Recommend`.
    pub name: &'static str,
    /// True when its caller sends a stream.
    pub takes_stream: bool,
    /// True when its answer is a stream.
    pub gives_stream: bool,
    /// True for health checks and reflection, which programs call all the time.
    pub is_probe: bool,
}

impl Method {
    /// True when a stream goes either way: it lasts as long as its ends want.
    pub fn is_stream(&self) -> bool {
        self.takes_stream || self.gives_stream
    }
}

/// Health checks and reflection: whether they take a stream, and whether they give one.
const PROBES: [(&str, bool, bool); 4] = [
    ("grpc.health.v1.Health/Check", false, false),
    ("grpc.health.v1.Health/Watch", false, true),
    ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", true, true),
    ("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", true, true),
];
/// Calls over REST that are in no contract.
const REST: [&str; 2] = ["rest/index", "rest/validate"];

/// All methods by path. The names live as long as the process: there are only so many.
static METHODS: LazyLock<HashMap<String, Method>> = LazyLock::new(|| {
    let ours = proffer_proto::POOL.services().flat_map(|service| {
        service
            .methods()
            .map(|method| Method {
                name: format!("{}/{}", method.parent_service().full_name(), method.name()).leak(),
                takes_stream: method.is_client_streaming(),
                gives_stream: method.is_server_streaming(),
                is_probe: false,
            })
            .collect::<Vec<_>>()
    });
    let probes = PROBES.map(|(name, takes_stream, gives_stream)| Method {
        name,
        takes_stream,
        gives_stream,
        is_probe: true,
    });
    let rest =
        REST.map(|name| Method { name, takes_stream: false, gives_stream: false, is_probe: false });
    ours.chain(probes).chain(rest).map(|method| (format!("/{}", method.name), method)).collect()
});

/// The method at a path, such as `/proffer.decision.v1.DecisionService/Recommend`; none when there
/// is no such method.
pub fn at(path: &str) -> Option<&'static Method> {
    METHODS.get(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_of_answers_is_known_and_no_upload_is() {
        let of = |path: &str| {
            let method = at(path).filter(|method| method.gives_stream);
            method.map(|method| method.takes_stream)
        };
        assert_eq!(of("/proffer.internal.catalog.v1.LookupService/WatchCatalog"), Some(false));
        assert_eq!(of("/proffer.decision.v1.DecisionService/RecommendStream"), Some(true));
        assert_eq!(of("/grpc.health.v1.Health/Watch"), Some(false));
        assert_eq!(of("/proffer.catalog.v1.RecordService/ImportRecords"), None);
        assert_eq!(of("/proffer.decision.v1.DecisionService/Recommend"), None);
    }

    #[test]
    fn every_method_is_known_with_its_streams() {
        let find = |path: &str| at(path).map(|method| (method.takes_stream, method.is_stream()));
        assert_eq!(find("/proffer.catalog.v1.RecordService/ImportRecords"), Some((true, true)));
        assert_eq!(
            find("/proffer.decision.v1.DecisionService/RecommendStream"),
            Some((true, true))
        );
        assert_eq!(find("/proffer.decision.v1.DecisionService/Recommend"), Some((false, false)));
        assert_eq!(find("/proffer.internal.values.v1.LogService/WatchLog"), Some((false, true)));
        assert_eq!(find("/grpc.health.v1.Health/Check"), Some((false, false)));
        assert_eq!(find("/no.such.Service/Method"), None);
    }
}
