//! Every call is found by its path and method.

use super::*;

fn table() -> RouteTable {
    RouteTable::build(&proffer_proto::POOL).unwrap()
}

fn check(method: &str, path: &str, expected: Option<(&str, &[&str])>) {
    let table = table();
    let found = table.find(path);
    let method = method.parse().unwrap();
    let got = found.as_ref().and_then(|found| Some((found.route(&method)?, found)));
    let got = got.map(|(route, found)| {
        (route.path.as_str().rsplit('/').next().unwrap(), found.values.as_slice())
    });
    assert_eq!(got, expected, "{method} {path}");
}

#[test]
fn calls_are_found_by_path_and_method() {
    check("POST", "/api/v1/offers", Some(("CreateOffer", &[])));
    check("GET", "/api/v1/offers", Some(("ListOffers", &[])));
    check("HEAD", "/api/v1/offers/off_1", Some(("GetOffer", &["off_1"])));
    check(
        "PUT",
        "/api/v1/schemas/Customer/records/a%2Fb",
        Some(("PutRecord", &["Customer", "a%2Fb"])),
    );
    check("GET", "/api/v1/schemas/Customer/records/c1", Some(("GetRecord", &["Customer", "c1"])));
    check("POST", "/api/v1/respond", Some(("Respond", &[])));
    check("POST", "/api/v1/respond/bulk", Some(("RespondBatch", &[])));
    check(
        "GET",
        "/api/v1/experiments/exp_1/assignments/c1",
        Some(("GetAssignment", &["exp_1", "c1"])),
    );
}

#[test]
fn other_paths_are_not_found() {
    let long = format!("/api/v1/offers{}", "/x".repeat(10_000));
    for path in [
        "",
        "/",
        "/api",
        "/api/v1",
        "/api/v1/offer",
        "/api/v1/offers/",
        "/api/v1/offers/a/b",
        "//api/v1/offers",
        "/api/v1/schemas//records/c1",
        "/API/v1/offers",
        &long,
    ] {
        check("GET", path, None);
    }
}

#[test]
fn the_methods_of_a_path_are_told() {
    assert_eq!(
        table().find("/api/v1/offers/x").unwrap().allow(),
        "DELETE, GET, HEAD, OPTIONS, PATCH"
    );
}

#[test]
fn a_call_that_takes_a_list_of_messages_may_be_large() {
    let table = table();
    let limit = |path| table.find(path).unwrap().route(&Method::POST).unwrap().body_bytes_max;
    assert_eq!(limit("/api/v1/offers"), BODY_BYTES_MAX);
    assert_eq!(limit("/api/v1/recommend"), BODY_BYTES_MAX);
    assert_eq!(limit("/api/v1/schemas/Customer/records"), BULK_BODY_BYTES_MAX);
    assert_eq!(limit("/api/v1/respond/bulk"), BULK_BODY_BYTES_MAX);
}

#[test]
fn what_is_neither_in_the_path_nor_in_the_body_is_in_the_query() {
    let table = table();
    let keys = |path, method: Method| {
        let found = table.find(path).unwrap();
        found.route(&method).unwrap().query.keys().cloned().collect::<BTreeSet<_>>()
    };
    assert_eq!(
        keys("/api/v1/decisions", Method::GET),
        ["after", "before", "customerId", "flow", "pageSize", "pageToken", "reason"]
            .map(str::to_owned)
            .into()
    );
    assert_eq!(keys("/api/v1/offers/x", Method::DELETE), ["etag".to_owned()].into());
    assert_eq!(keys("/api/v1/offers/x", Method::PATCH), ["updateMask".to_owned()].into());
    assert_eq!(keys("/api/v1/recommend", Method::POST), BTreeSet::new());
    assert_eq!(keys("/api/v1/schemas/Customer/records/c1", Method::PUT), BTreeSet::new());
}

#[test]
fn internal_services_are_not_public() {
    let services = table().services();
    assert!(services.contains("proffer.decision.v1.DecisionService"));
    for internal in [
        "internal.catalog.v1.LookupService",
        "internal.policy.v1.ContactGateService",
        "internal.experiment.v1.LedgerService",
        "internal.values.v1.LogService",
    ] {
        assert!(!services.contains(&format!("proffer.{internal}")), "{internal}");
    }
    assert_eq!(services.len(), 22);
}
