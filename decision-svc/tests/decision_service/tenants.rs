//! Any number of tenants: the configuration of the least recently used is evicted.

use database::Location;
use decision_svc::neighbours::follow::TENANTS_MAX;
use proffer_proto::decision::v1 as proto;
use serve::metadata;

use super::{
    neighbours::Fakes,
    suite::{Suite, priced, question, winback},
};

const TENANTS: usize = 300;

async fn offer(suite: &Suite, tenant: &str) -> String {
    let request = metadata::request(tenant, question("cust_lapsed_1"));
    let answer = suite.decisions.clone().recommend(request).await.unwrap().into_inner();
    let decision = answer.decision.unwrap();
    assert_eq!(decision.degraded, [""; 0], "{tenant}");
    decision.decisions.first().map_or(String::new(), |offered| offered.offer_id.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tenant_is_turned_away_and_one_that_comes_back_decides_by_what_is_new() {
    const { assert!(TENANTS > TENANTS_MAX) };
    let folder = tempfile::tempdir().unwrap();
    let suite = Suite::start(&Location::Folder(folder.path().to_owned()), Fakes::new()).await;
    let tenants: Vec<_> = (0..TENANTS).map(|number| format!("tenant-{number}")).collect();
    for tenant in &tenants {
        let flow = proto::CreateDecisionFlowRequest {
            decision_flow: Some(winback()),
            ..Default::default()
        };
        let request = metadata::request(tenant, flow);
        suite.flows.clone().create_decision_flow(request).await.unwrap();
        assert_eq!(offer(&suite, tenant).await, "off_apparel", "{tenant}");
    }
    // The streams of evicted tenants are closed.
    while suite.fakes.catalog_streams() > TENANTS_MAX {
        tokio::task::yield_now().await;
    }
    priced(&suite.fakes, "off_priced", "0.05");
    for tenant in [&tenants[0], &tenants[TENANTS - 1], &tenants[1]] {
        assert_eq!(offer(&suite, tenant).await, "off_priced", "{tenant}");
    }
}
