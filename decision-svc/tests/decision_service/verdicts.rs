//! What each contact policy found, in the trace, the record and the instant of the next contact.

use proffer_proto::{decision::v1 as proto, policy::v1 as policy, values::v1::ReasonCode};
use prost_types::Timestamp;

use super::suite::{Suite, lapsed, on_both, priced, question};

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

fn looked(
    policy_id: &str,
    passed: bool,
    next_allowed_at: Option<Timestamp>,
) -> policy::PolicyVerdict {
    policy::PolicyVerdict {
        policy_id: policy_id.to_owned(),
        rule_type: "frequency_cap".to_owned(),
        passed,
        contacts: 2,
        reserved: 1,
        limit: 3,
        window_seconds: 2_592_000,
        next_allowed_at,
        lifted_by: String::new(),
    }
}

fn verdict(suite: &Suite, offer_id: &str, policies: Vec<policy::PolicyVerdict>) {
    let is_refused = policies.iter().any(|policy| !policy.passed);
    let refusal = policy::Refusal {
        reason_code: ReasonCode::FrequencyCap.into(),
        reason: "contact policy Cap: 3 of 3 in last 30d".to_owned(),
        deliver_after: String::new(),
    };
    let (refusal, summary) = (is_refused.then_some(refusal), "in short".to_owned());
    let verdict = policy::Verdict { refusal, summary, policies, ..Default::default() };
    suite.fakes.script.lock().unwrap().verdicts.insert(offer_id.to_owned(), verdict);
}

async fn kept(suite: &Suite, decision: &proto::Decision) -> proto::Decision {
    let request = proto::GetDecisionRequest {
        decision_id: decision.decision_id.clone().unwrap(),
        ..Default::default()
    };
    let record =
        suite.decisions.clone().get_decision(request).await.unwrap().into_inner().decision.unwrap();
    record.answer.unwrap()
}

fn refused<'a>(decision: &'a proto::Decision, offer_id: &str) -> &'a proto::RefusedCandidate {
    let refused = &decision.trace.as_ref().unwrap().refused;
    refused.iter().find(|candidate| candidate.offer_id == offer_id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_policy_that_looked_at_an_offer_stands_in_its_trace_and_record() {
    on_both(async |suite| {
        let lifted = policy::PolicyVerdict {
            lifted_by: "pol_vip".to_owned(),
            ..looked("pol_b", true, at(50))
        };
        let policies = vec![looked("pol_a", true, None), lifted];
        verdict(&suite, "off_apparel", policies.clone());
        let decision = suite.recommend(question("cust_lapsed_1")).await.unwrap();
        let trace = decision.decisions[0].trace.clone().unwrap();
        assert_eq!(trace.policies, policies);
        assert_eq!(trace.contact_policy, "in short");
        assert_eq!(decision.next_allowed_at, None);
        assert_eq!(kept(&suite, &decision).await.decisions, decision.decisions);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_by_policy_tells_when_contact_is_next_allowed() {
    on_both(async |suite| {
        priced(&suite.fakes, "off_priced", "1");
        let ask = async || suite.recommend(question("cust_lapsed_1")).await.unwrap();
        // Both policies that refuse the first offer must let it through; the second offer is free
        // before that.
        let first = vec![
            looked("pol_a", false, at(100)),
            looked("pol_b", false, at(300)),
            looked("pol_c", true, at(900)),
        ];
        verdict(&suite, "off_priced", first.clone());
        verdict(&suite, "off_apparel", vec![looked("pol_a", false, at(200))]);
        let decision = ask().await;
        assert_eq!(
            (decision.reason_code(), decision.decisions.len()),
            (ReasonCode::FrequencyCap, 0)
        );
        assert_eq!(decision.next_allowed_at, at(200));
        let told = &refused(&decision, "off_priced").policies;
        assert_eq!(*told, first);
        assert_eq!(refused(&decision, "off_apparel").policies.len(), 1);
        let kept = kept(&suite, &decision).await;
        assert_eq!((kept.next_allowed_at, kept.trace), (decision.next_allowed_at, decision.trace));
        // A policy that never lets go by itself leaves only the other offer.
        verdict(
            &suite,
            "off_apparel",
            vec![looked("pol_a", false, at(200)), looked("pol_b", false, None)],
        );
        assert_eq!(ask().await.next_allowed_at, at(300));
        verdict(&suite, "off_priced", vec![looked("pol_a", false, None)]);
        assert_eq!(ask().await.next_allowed_at, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_instant_is_told_when_something_else_refuses_or_an_offer_is_made() {
    on_both(async |suite| {
        priced(&suite.fakes, "off_priced", "1");
        verdict(&suite, "off_priced", vec![looked("pol_a", false, at(100))]);
        let decision = suite.recommend(question("cust_lapsed_1")).await.unwrap();
        assert_eq!((decision.decisions.len(), decision.next_allowed_at), (1, None));
        verdict(&suite, "off_apparel", vec![looked("pol_a", false, at(100))]);
        let consent = policy::Refusal {
            reason_code: ReasonCode::ConsentWithdrawn.into(),
            ..Default::default()
        };
        suite.fakes.script.lock().unwrap().refusal = Some(consent);
        let decision = suite.recommend(question("cust_lapsed_1")).await.unwrap();
        assert_eq!(
            (decision.reason_code(), decision.next_allowed_at),
            (ReasonCode::ConsentWithdrawn, None)
        );
        assert_eq!(refused(&decision, "off_priced").policies.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_policies_found_about_an_outranked_offer_is_told_on_request() {
    on_both(async |suite| {
        priced(&suite.fakes, "off_priced", "1");
        verdict(&suite, "off_apparel", vec![looked("pol_a", true, None)]);
        for (explain, count) in [(false, 0), (true, 1)] {
            let asked =
                proto::RecommendRequest { explain, dry_run: true, ..question("cust_lapsed_1") };
            let decision = suite.recommend(asked).await.unwrap();
            let outranked = refused(&decision, "off_apparel");
            assert_eq!(
                (outranked.reason_code(), outranked.policies.len()),
                (ReasonCode::Outranked, count)
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_holds_five_hundred_findings_about_refused_offers() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "c", "none", "2026-07-03");
        let many = |count: usize| vec![looked("pol_a", false, at(100)); count];
        for (offer, count) in [("off_a", 300), ("off_b", 201), ("off_c", 200)] {
            priced(&suite.fakes, offer, "1");
            verdict(&suite, offer, many(count));
        }
        let decision = suite.recommend(question("c")).await.unwrap();
        let told =
            ["off_a", "off_b", "off_c"].map(|offer| refused(&decision, offer).policies.len());
        assert_eq!((told, decision.next_allowed_at), ([300, 0, 200], at(100)));
    })
    .await;
}
