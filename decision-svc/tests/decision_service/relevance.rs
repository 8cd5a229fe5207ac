//! Relevance that is learned from what a customer answers on each channel.

use proffer_proto::{
    decision::v1::{self as proto, node::Config},
    policy::v1::Channel,
};
use prost::Message as _;

use super::{
    explore::create,
    propensity::{ANN, about, lapsed_one},
    suite::{Suite, on_both, question},
};

fn learn(config: &mut Config) {
    if let Config::Rank(rank) = config {
        rank.relevance = proto::RelevanceMethod::Learned.into();
    }
}

fn asked(customer_id: &str, channel: &str, flow: &str) -> proto::RecommendRequest {
    proto::RecommendRequest {
        channel: channel.to_owned(),
        flow: flow.to_owned(),
        ..question(customer_id)
    }
}

/// Relevance, its source and the score of the offer of a decision.
fn relevance(decision: &proto::Decision) -> (f64, String, f64) {
    let offer = &decision.decisions[0];
    let trace = offer.trace.clone().unwrap();
    (trace.factors.unwrap().relevance, trace.relevance_source, offer.score)
}

async fn on(suite: &Suite, customer_id: &str, channel: &str) -> proto::Decision {
    suite.recommend(asked(customer_id, channel, "Learning")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channel_that_a_customer_answers_is_more_relevant_and_decisions_replay() {
    on_both(async |suite| {
        let channel = Channel { name: "sms".to_owned(), ..Default::default() };
        suite.fakes.write_policy("channel", "ch_sms", "sms", channel.encode_to_vec());
        create(&suite, "Learning", learn).await.unwrap();
        for customer_id in [ANN, "bob"] {
            lapsed_one(&suite, customer_id);
        }
        let before = on(&suite, ANN, "email").await;
        let nothing = "learned: the customer answered 0 of 0 contacts on the channel and 0 of 0 on \
                       any, all customers 0 of 0 and 0 of 0";
        let found = relevance(&before);
        assert_eq!((found.0, &*found.1), (0.5, nothing));
        let mut made = vec![before];
        for _ in 0..3 {
            for channel in ["email", "sms"] {
                let decision = on(&suite, ANN, channel).await;
                suite.respond(about(&decision, ANN, "impression")).await.unwrap();
                if channel == "sms" {
                    suite.respond(about(&decision, ANN, "click")).await.unwrap();
                }
                made.push(decision);
            }
        }
        let email = relevance(&on(&suite, ANN, "email").await);
        let sms = relevance(&on(&suite, ANN, "sms").await);
        let expected = "learned: the customer answered 3 of 3 contacts on the channel and 3 of 6 \
                        on any, all customers 3 of 3 and 3 of 6";
        assert_eq!(sms.1, expected);
        // By hand: (3 + 1) / (6 + 2) = .5 of the tenant, (3 + 10) / 23 of the channel.
        let here = (3.0 + 5.0 * (13.0 / 23.0)) / 8.0;
        let anywhere = (3.0 + 5.0 * 0.5) / 11.0;
        assert!((sms.0 - here / (here + anywhere)).abs() < 1e-15, "{sms:?}");
        assert!(sms.0 > 0.5 && email.0 < 0.5, "{sms:?} {email:?}");
        assert!(sms.2 > email.2, "the better channel has the better score");
        // Of somebody new it is known what all customers do.
        let (of_bob, source, _) = relevance(&on(&suite, "bob", "sms").await);
        assert!(of_bob > 0.5 && of_bob < sms.0, "{of_bob}");
        assert!(source.contains("answered 0 of 0 contacts on the channel"), "{source}");
        for decision in &made {
            let decision_id = decision.decision_id.clone().unwrap();
            let request = proto::ReplayRequest { decision_id, ..Default::default() };
            let replayed = suite.decisions.clone().replay(request).await.unwrap().into_inner();
            assert!(replayed.identical, "{replayed:?}");
        }
        // A flow that does not say so keeps to affinities.
        let plain = suite.recommend(asked(ANN, "sms", "Winback")).await.unwrap();
        let found = relevance(&plain);
        assert_eq!((found.0, &*found.1), (0.5, ""));
    })
    .await;
}
