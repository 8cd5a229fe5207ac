//! Judgments of the past, from the facts that were recorded with them.

use chrono::TimeDelta;
use proffer_proto::policy::v1::{self as proto, contact_policy::Rule};
use tonic::Code;

use super::world::*;

/// Every kind of fact: contacts, reservations, an outcome, a consent record, a budget.
async fn with_a_history(world: &World) {
    let rest = proto::OutcomeBased { outcomes: vec!["complaint".into()], window_days: 90 };
    let budget = proto::Budget { window_days: 30, max_contacts: Some(5), ..Default::default() };
    for (id, rule) in [("pol_rest", Rule::OutcomeBased(rest)), ("pol_budget", Rule::Budget(budget))]
    {
        let (id, name) = (id.to_owned(), id.to_owned());
        world
            .create_policy(proto::ContactPolicy {
                id,
                name,
                rule: Some(rule),
                ..Default::default()
            })
            .await;
    }
    world.reserve(world.question("ann"), "dec_1").await;
    world.deliver(vec![impression("ann", 1, "dec_1", world.clock.now())]).await;
    world.pass(TimeDelta::hours(1));
    world.reserve(world.question("ann"), "dec_2").await;
}

fn bare(judged: &proto::Judgment) -> proto::Judgment {
    proto::Judgment { facts: None, ..judged.clone() }
}

fn again(
    question: proto::ContactQuestion,
    judged: &proto::Judgment,
    limit: i32,
) -> proto::EvaluateFactsRequest {
    let (facts, revision) = (judged.facts.clone(), judged.revision);
    proto::EvaluateFactsRequest {
        question: Some(question),
        facts,
        revision,
        limit,
        configured_at: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgment_is_the_same_after_everything_was_edited() {
    seeded_on_both(async |world| {
        with_a_history(world).await;
        let candidates = vec![candidate("off_apparel", "Apparel"), candidate("off_home", "Home")];
        let question = proto::ContactQuestion { candidates, ..world.question("ann") };
        let checked = world.check(question.clone()).await;
        let request = proto::ReserveRequest { limit: 2, ..reservation(question.clone(), "dec_3") };
        let reserved = world.ask(request).await.unwrap();
        let judged = reserved.judgment.unwrap();
        // The configuration, the contacts and the clock move on.
        world.pass(TimeDelta::days(3));
        world.create_policy(cap("pol_new", "global", 30, 1)).await;
        for id in ["pol_rest", "pol_budget"] {
            let request = proto::DeleteContactPolicyRequest { id: id.into(), etag: String::new() };
            world.policies().delete_contact_policy(request).await.unwrap();
        }
        let opt_out = proto::OutcomeFact {
            key: "opt_out".into(),
            ..impression("ann", 2, "", world.clock.now())
        };
        world.deliver(vec![proto::OutcomeFact { counts_as_contact: false, ..opt_out }]).await;
        assert_eq!(world.outcome_of_reserve("ann", "dec_4").await, "consent_withdrawn");

        let request = again(question.clone(), &checked, 0);
        let answer = world.gate().evaluate_facts(request).await.unwrap().into_inner();
        assert_eq!((answer.judgment.unwrap(), answer.granted.len()), (bare(&checked), 0));
        let request = again(question.clone(), &judged, 2);
        let answer = world.gate().evaluate_facts(request).await.unwrap().into_inner();
        assert_eq!(answer.judgment.unwrap(), bare(&judged));
        assert_eq!(
            answer.granted,
            reserved.grants.iter().map(|grant| grant.offer_id.clone()).collect::<Vec<_>>()
        );
        assert_eq!(answer.granted.len(), 1, "one slot of three was left");

        // The instant of the judgment leads to the same policies.
        let request = proto::EvaluateFactsRequest {
            revision: 0,
            configured_at: checked.facts.as_ref().unwrap().ledger_at,
            ..again(question.clone(), &checked, 0)
        };
        let answer = world.gate().evaluate_facts(request).await.unwrap().into_inner();
        assert_eq!(answer.judgment.unwrap(), bare(&checked));

        // What was recorded decides: a contact more, and no slot is left.
        let mut request = again(question, &judged, 2);
        let facts = request.facts.as_mut().unwrap();
        let more = facts.contacts[0];
        facts.contacts.push(more);
        let answer = world.gate().evaluate_facts(request).await.unwrap().into_inner();
        assert_eq!(answer.granted, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_is_not_reached_is_refused() {
    seeded_on_both(async |world| {
        let judged = world.check(world.question("ann")).await;
        let request = |revision| proto::EvaluateFactsRequest {
            revision,
            ..again(world.question("ann"), &judged, 0)
        };
        let refused = world.gate().evaluate_facts(request(judged.revision + 1)).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::NotFound, "NOT_FOUND"));
        let refused = world.gate().evaluate_facts(request(0)).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "the channel did not exist yet");
        let request =
            proto::EvaluateFactsRequest { limit: 51, facts: None, ..request(judged.revision) };
        let refused = world.gate().evaluate_facts(request).await.unwrap_err();
        assert_eq!(
            faults(&refused),
            ["limit: is 51; it must be 0 to 50", "facts.ledger_at: is required"]
        );
    })
    .await;
}
