//! Lists of decisions and outcomes: order, filters and pages.

use proffer_proto::{
    catalog::v1::OutcomeCategory,
    decision::v1 as proto,
    values::v1::{ReasonCode, Value, value::Kind},
};
use prost_types::Timestamp;
use tonic::{Code, Status};

use super::suite::{NOW_US, Suite, lapsed, on_both, question, report, string, told, winback};

const LAPSED: &str = "cust_lapsed_1";
const MINUTE_US: i64 = 60_000_000;

fn minute(number: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds: (NOW_US + number * MINUTE_US) / 1_000_000, nanos: 0 })
}

async fn decisions(
    suite: &Suite,
    asked: proto::ListDecisionsRequest,
) -> Result<proto::ListDecisionsResponse, Status> {
    Ok(suite.decisions.clone().list_decisions(asked).await?.into_inner())
}

async fn outcomes(
    suite: &Suite,
    asked: proto::ListOutcomesRequest,
) -> Result<proto::ListOutcomesResponse, Status> {
    Ok(suite.outcomes.clone().list_outcomes(asked).await?.into_inner())
}

/// The decision ids of all pages.
async fn ids(suite: &Suite, mut asked: proto::ListDecisionsRequest) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page = decisions(suite, asked.clone()).await.unwrap();
        let full = page.decisions.len() as i32 == asked.page_size;
        assert!(full || page.next_page_token.is_empty(), "a page is short only at the end");
        ids.extend(page.decisions.into_iter().map(|shown| shown.decision_id));
        asked.page_token = page.next_page_token;
        if asked.page_token.is_empty() {
            return ids;
        }
    }
}

/// A minute apart: offers and refusals of two customers under two flows.
async fn six_decisions(suite: &Suite) -> Vec<String> {
    let other = proto::DecisionFlow { name: "Upsell".to_owned(), ..winback() };
    let request =
        proto::CreateDecisionFlowRequest { decision_flow: Some(other), ..Default::default() };
    suite.flows.clone().create_decision_flow(request).await.unwrap();
    let mut made = Vec::new();
    for (number, (customer_id, flow)) in (0..).zip([
        (LAPSED, "Winback"),
        ("nobody", "Winback"),
        (LAPSED, "Upsell"),
        ("nobody", "Upsell"),
        (LAPSED, "Winback"),
        ("nobody", "Winback"),
    ]) {
        suite.clock.set(serve::from_micros(NOW_US + number * MINUTE_US));
        let asked = proto::RecommendRequest { flow: flow.to_owned(), ..question(customer_id) };
        made.push(suite.recommend(asked).await.unwrap().decision_id.unwrap());
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_listed_by_time_flow_and_reason_of_one_customer_or_all() {
    on_both(async |suite| {
        let made = six_decisions(&suite).await;
        let all = proto::ListDecisionsRequest { page_size: 2, ..Default::default() };
        let unknown = ReasonCode::CustomerUnknown.into();
        let text = str::to_owned;
        let expected: [(_, &[usize]); 11] = [
            (all.clone(), &[5, 4, 3, 2, 1, 0]),
            (proto::ListDecisionsRequest { after: minute(2), ..all.clone() }, &[5, 4, 3, 2]),
            (proto::ListDecisionsRequest { before: minute(2), ..all.clone() }, &[1, 0]),
            (
                proto::ListDecisionsRequest { after: minute(1), before: minute(4), ..all.clone() },
                &[3, 2, 1],
            ),
            (proto::ListDecisionsRequest { flow: text(" upsell"), ..all.clone() }, &[3, 2]),
            (
                proto::ListDecisionsRequest { flow: text("flow_winback"), ..all.clone() },
                &[5, 4, 1, 0],
            ),
            (proto::ListDecisionsRequest { reason: unknown, ..all.clone() }, &[5, 3, 1]),
            (
                proto::ListDecisionsRequest {
                    reason: ReasonCode::QuietHours.into(),
                    ..all.clone()
                },
                &[],
            ),
            (
                proto::ListDecisionsRequest {
                    reason: unknown,
                    flow: text("Winback"),
                    before: minute(5),
                    ..all.clone()
                },
                &[1],
            ),
            (proto::ListDecisionsRequest { customer_id: text(LAPSED), ..all.clone() }, &[4, 2, 0]),
            (
                proto::ListDecisionsRequest {
                    customer_id: text("nobody"),
                    reason: unknown,
                    flow: text("Winback"),
                    after: minute(1),
                    ..all.clone()
                },
                &[5, 1],
            ),
        ];
        for (asked, expected) in expected {
            let expected: Vec<_> = expected.iter().map(|place| made[*place].clone()).collect();
            assert_eq!(ids(&suite, asked.clone()).await, expected, "{asked:?}");
        }
        // What was decided under a flow is found by its id after the flow is gone.
        let gone = proto::DeleteDecisionFlowRequest { id: text("Upsell"), ..Default::default() };
        suite.flows.clone().delete_decision_flow(gone).await.unwrap();
        let of_gone = proto::ListDecisionsRequest { flow: text("flow_upsell"), ..all.clone() };
        assert_eq!(ids(&suite, of_gone).await, [made[3].clone(), made[2].clone()]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_list_of_decisions_is_told() {
    on_both(async |suite| {
        let check = async |asked: proto::ListDecisionsRequest, code: Code, part: &str| {
            let status = decisions(&suite, asked).await.unwrap_err();
            assert_eq!(told(&status).0, code, "{status:?}");
            assert!(status.message().contains(part), "{}", status.message());
        };
        let asked = proto::ListDecisionsRequest::default;
        let near = "decision flow `Winbak` not found; did you mean `Winback`?";
        check(
            proto::ListDecisionsRequest { flow: "Winbak".to_owned(), ..asked() },
            Code::NotFound,
            near,
        )
        .await;
        for odd in ["a\0b", &"x".repeat(900)] {
            let flow = odd.to_owned();
            check(proto::ListDecisionsRequest { flow, ..asked() }, Code::NotFound, "not found")
                .await;
        }
        check(
            proto::ListDecisionsRequest { reason: 99, ..asked() },
            Code::InvalidArgument,
            "is 99; it must be one of quiet_hours, time_window",
        )
        .await;
        check(
            proto::ListDecisionsRequest { after: minute(1), before: minute(1), ..asked() },
            Code::InvalidArgument,
            "is not before `before`",
        )
        .await;
        check(
            proto::ListDecisionsRequest { customer_id: "x".repeat(129), ..asked() },
            Code::InvalidArgument,
            "exceeds the maximum 128",
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_decisions_belongs_to_its_filters() {
    on_both(async |suite| {
        six_decisions(&suite).await;
        let first = proto::ListDecisionsRequest { page_size: 1, ..Default::default() };
        let page_token = decisions(&suite, first.clone()).await.unwrap().next_page_token;
        let own = proto::ListDecisionsRequest { page_token, ..first };
        assert_eq!(decisions(&suite, own.clone()).await.unwrap().decisions.len(), 1);
        let text = str::to_owned;
        for other in [
            proto::ListDecisionsRequest { customer_id: text(LAPSED), ..own.clone() },
            proto::ListDecisionsRequest { flow: text("Winback"), ..own.clone() },
            proto::ListDecisionsRequest {
                reason: ReasonCode::CustomerUnknown.into(),
                ..own.clone()
            },
            proto::ListDecisionsRequest { after: minute(0), ..own.clone() },
            proto::ListDecisionsRequest { before: minute(9), ..own.clone() },
        ] {
            let status = decisions(&suite, other.clone()).await.unwrap_err();
            assert_eq!(told(&status).2, ["page_token"], "{other:?}");
        }
        let of_outcomes =
            proto::ListOutcomesRequest { customer_id: text(LAPSED), ..Default::default() };
        let alien = proto::ListOutcomesRequest { page_token: own.page_token, ..of_outcomes };
        assert_eq!(told(&outcomes(&suite, alien).await.unwrap_err()).2, ["page_token"]);
    })
    .await;
}

/// A page of small records is full; one of large records ends early, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_records_ends_early_and_the_next_one_goes_on_exactly() {
    const COUNT: usize = 130;
    on_both(async |suite| {
        let large = [("note".to_owned(), Value { kind: Some(string(&"n".repeat(16_000))) })];
        let mut made = Vec::new();
        for number in 0..COUNT {
            suite.clock.set(serve::from_micros(NOW_US + number as i64));
            let asked =
                proto::RecommendRequest { attributes: large.clone().into(), ..question("nobody") };
            made.push(suite.recommend(asked).await.unwrap().decision_id.unwrap());
        }
        made.reverse();
        let (mut listed, mut pages) = (Vec::new(), 0);
        let mut asked = proto::ListDecisionsRequest { page_size: 1_000, ..Default::default() };
        loop {
            let page = decisions(&suite, asked.clone()).await.unwrap();
            let bytes = prost::Message::encoded_len(&page);
            assert!(bytes < 2 * history::PAGE_BYTES_MAX, "{bytes}");
            listed.extend(page.decisions.into_iter().map(|shown| shown.decision_id));
            pages += 1;
            asked.page_token = page.next_page_token;
            if asked.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, made);
        assert!(pages > 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_is_listed_with_everything_that_it_meant() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "cust_2", "apparel", "2026-07-03");
        let decision_id = suite.recommend(question(LAPSED)).await.unwrap().decision_id.unwrap();
        let amount = |kind| Some(Value { kind: Some(kind) });
        let bought = proto::OutcomeReport {
            decision_id: decision_id.clone(),
            conversion_value: amount(string("49.90")),
            occurred_at: minute(-2),
            ..report(LAPSED, "conversion", "")
        };
        let own = proto::OutcomeReport {
            offer_id: "Home — bundle 3, save 15%".to_owned(),
            channel: "sms".to_owned(),
            ..report(LAPSED, "impression", "own-1")
        };
        let bought = suite.respond(bought).await.unwrap().outcome_id;
        let shown = suite.respond(own).await.unwrap().outcome_id;
        suite.respond(report("cust_2", "click", "k")).await.unwrap();
        let asked =
            proto::ListOutcomesRequest { customer_id: LAPSED.to_owned(), ..Default::default() };
        let page = outcomes(&suite, asked).await.unwrap();
        assert_eq!(page.next_page_token, "");
        let now = minute(0);
        let expected = [
            proto::Outcome {
                outcome_id: shown,
                customer_id: LAPSED.to_owned(),
                outcome: "impression".to_owned(),
                category: OutcomeCategory::Impression.into(),
                offer_id: "off_home".to_owned(),
                channel: "sms".to_owned(),
                occurred_at: now,
                received_at: now,
                idempotency_key: "own-1".to_owned(),
                ..Default::default()
            },
            proto::Outcome {
                outcome_id: bought,
                customer_id: LAPSED.to_owned(),
                outcome: "conversion".to_owned(),
                category: OutcomeCategory::Response.into(),
                decision_id,
                rank: Some(1),
                offer_id: "off_apparel".to_owned(),
                channel: "email".to_owned(),
                value: amount(Kind::DecimalValue("49.9".to_owned())),
                occurred_at: minute(-2),
                received_at: now,
                idempotency_key: String::new(),
            },
        ];
        assert_eq!(page.outcomes, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_narrowed_by_decision_type_and_time_newest_first() {
    on_both(async |suite| {
        let decision_id = suite.recommend(question(LAPSED)).await.unwrap().decision_id.unwrap();
        // Two of one instant, and one that is received last although it happened first.
        let reports = [("click", 1), ("impression", 2), ("click", 2), ("conversion", 0)];
        let reports =
            reports.into_iter().zip(0..).map(|((outcome, at), number)| proto::OutcomeReport {
                decision_id: if number == 1 { decision_id.clone() } else { String::new() },
                occurred_at: minute(at - 10),
                ..report(LAPSED, outcome, &format!("k-{number}"))
            });
        let mut made = Vec::new();
        for reported in reports {
            made.push(suite.respond(reported).await.unwrap().outcome_id);
        }
        let listed = async |mut asked: proto::ListOutcomesRequest| {
            asked.customer_id = LAPSED.to_owned();
            let (mut listed, size) = (Vec::new(), asked.page_size as usize);
            loop {
                let page = outcomes(&suite, asked.clone()).await.unwrap();
                let has_next = !page.next_page_token.is_empty();
                assert!(page.outcomes.len() == size || !has_next);
                let ids = page.outcomes.into_iter().map(|outcome| outcome.outcome_id);
                listed.extend(ids.map(|id| made.iter().position(|known| *known == id).unwrap()));
                asked.page_token = page.next_page_token;
                if !has_next {
                    return listed;
                }
            }
        };
        let all = proto::ListOutcomesRequest { page_size: 1, ..Default::default() };
        assert_eq!(listed(all.clone()).await, [2, 1, 0, 3]);
        let clicks = proto::ListOutcomesRequest { outcome: "click".to_owned(), ..all.clone() };
        assert_eq!(listed(clicks.clone()).await, [2, 0]);
        let decided = proto::ListOutcomesRequest { decision_id, ..all.clone() };
        assert_eq!(listed(decided.clone()).await, [1]);
        let both = proto::ListOutcomesRequest { outcome: "click".to_owned(), ..decided };
        assert_eq!(listed(both).await, [0_usize; 0]);
        let (after, before) = (minute(-9), minute(-8));
        assert_eq!(listed(proto::ListOutcomesRequest { after, before, ..all.clone() }).await, [0]);
        assert_eq!(listed(proto::ListOutcomesRequest { after, ..all.clone() }).await, [2, 1, 0]);
        assert_eq!(listed(proto::ListOutcomesRequest { before, ..clicks }).await, [0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_outcomes_needs_a_customer_and_its_pages_belong_to_its_filters() {
    on_both(async |suite| {
        let refused = async |asked: proto::ListOutcomesRequest| {
            let status = outcomes(&suite, asked).await.unwrap_err();
            (told(&status).2.join(" "), status.message().to_owned())
        };
        let (field, message) = refused(proto::ListOutcomesRequest::default()).await;
        assert_eq!(field, "customer_id");
        assert!(message.contains("is required"), "{message}");
        let customer_id = LAPSED.to_owned();
        let first = proto::ListOutcomesRequest { customer_id, page_size: 1, ..Default::default() };
        let odd = proto::ListOutcomesRequest { outcome: "a\nb".to_owned(), ..first.clone() };
        assert_eq!(refused(odd).await.0, "outcome");
        let range =
            proto::ListOutcomesRequest { after: minute(2), before: minute(1), ..first.clone() };
        assert_eq!(refused(range).await.0, "after");
        for key in ["a", "b"] {
            suite.respond(report(LAPSED, "click", key)).await.unwrap();
            suite.respond(report("cust_2", "click", key)).await.unwrap();
        }
        let page_token = outcomes(&suite, first.clone()).await.unwrap().next_page_token;
        let own = proto::ListOutcomesRequest { page_token, ..first };
        assert_eq!(outcomes(&suite, own.clone()).await.unwrap().outcomes.len(), 1);
        let text = str::to_owned;
        for other in [
            proto::ListOutcomesRequest { customer_id: text("cust_2"), ..own.clone() },
            proto::ListOutcomesRequest { outcome: text("click"), ..own.clone() },
            proto::ListOutcomesRequest { decision_id: text("dec_1"), ..own.clone() },
            proto::ListOutcomesRequest { after: minute(-1), ..own.clone() },
            proto::ListOutcomesRequest { before: minute(1), ..own.clone() },
        ] {
            assert_eq!(refused(other.clone()).await.0, "page_token", "{other:?}");
        }
    })
    .await;
}
