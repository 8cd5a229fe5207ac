//! Questions asked together.

use proffer_proto::policy::v1::{self as proto, gate_answer, gate_question};
use tonic::{Code, Status};

use super::world::*;

fn reserve(question: proto::ContactQuestion, decision: &str) -> proto::GateQuestion {
    proto::GateQuestion {
        kind: Some(gate_question::Kind::Reserve(reservation(question, decision))),
    }
}

fn check(question: proto::ContactQuestion) -> proto::GateQuestion {
    let request = proto::CheckRequest { question: Some(question), limit: 1 };
    proto::GateQuestion { kind: Some(gate_question::Kind::Check(request)) }
}

async fn ask(
    world: &World,
    questions: Vec<proto::GateQuestion>,
) -> Result<Vec<proto::GateAnswer>, Status> {
    let request = proto::BatchReserveRequest { questions };
    world.gate().batch_reserve(request).await.map(|answer| answer.into_inner().answers)
}

/// `granted`, `checked` or the reason code; or the code of a fault.
fn told_of(answer: &proto::GateAnswer) -> String {
    match answer.kind.as_ref().unwrap() {
        gate_answer::Kind::Reserve(answer) => told(answer),
        gate_answer::Kind::Check(answer) => {
            let judgment = answer.judgment.clone().unwrap();
            let refused = judgment.verdicts.iter().find_map(|verdict| verdict.refusal.clone());
            judgment
                .refusal
                .or(refused)
                .map_or("checked".to_owned(), |refusal| code(&refusal).to_owned())
        }
        gate_answer::Kind::Fault(fault) => format!("{:?}", Code::from(fault.code)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_question_is_answered_in_its_place_and_a_bad_one_spoils_only_its_own() {
    seeded_on_both(async |world| {
        let mut withheld = world.question("bob");
        withheld.customer_fields.insert("consentEmail".into(), boolean(false));
        let mut unknown_channel = world.question("cat");
        unknown_channel.channel = "pigeon".into();
        let questions = vec![
            reserve(world.question("ann"), "dec_1"),
            reserve(withheld, "dec_2"),
            reserve(unknown_channel, "dec_3"),
            check(world.question("dan")),
            reserve(world.question("eve"), ""),
            proto::GateQuestion::default(),
            reserve(world.question("fay"), "dec_6"),
        ];
        let answers = ask(world, questions).await.unwrap();
        let shown: Vec<_> = answers.iter().map(told_of).collect();
        let wrong = "InvalidArgument";
        assert_eq!(
            shown,
            ["granted", "consent_withheld", "NotFound", "checked", wrong, wrong, "granted"]
        );
        assert_eq!(world.ledger("ann").await, ["dec_1 reserved"]);
        assert_eq!(world.ledger("fay").await, ["dec_6 reserved"]);
        for untouched in ["bob", "cat", "dan", "eve"] {
            assert!(world.ledger(untouched).await.is_empty(), "{untouched}");
        }
        // A fault is the status the question would have had alone.
        let Some(gate_answer::Kind::Fault(fault)) = answers[4].kind.clone() else {
            panic!("{answers:?}")
        };
        let status = Status::with_details(fault.code.into(), fault.message, fault.details.into());
        assert_eq!(
            faults(&status),
            faults(&world.ask(reservation(world.question("eve"), "")).await.unwrap_err())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_customer_the_later_question_sees_what_the_earlier_one_reserved() {
    seeded_on_both(async |world| {
        let mut questions: Vec<_> = (1..=5)
            .map(|number| reserve(world.question("ann"), &format!("dec_{number}")))
            .collect();
        questions.insert(2, check(world.question("ann")));
        let answers = ask(world, questions).await.unwrap();
        let shown: Vec<_> = answers.iter().map(told_of).collect();
        assert_eq!(
            shown,
            ["granted", "granted", "checked", "granted", "frequency_cap", "frequency_cap"]
        );
        let Some(gate_answer::Kind::Check(checked)) = &answers[2].kind else {
            panic!("{answers:?}")
        };
        let summary = &checked.judgment.as_ref().unwrap().verdicts[0].summary;
        assert_eq!(summary, "passed (0 contacts in last 30d, 2 reserved)");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_over_all_customers_is_exact_within_a_batch() {
    seeded_on_both(async |world| {
        let budget = proto::Budget { window_days: 7, max_contacts: Some(3), ..Default::default() };
        let rule = Some(proto::contact_policy::Rule::Budget(budget));
        world
            .create_policy(proto::ContactPolicy {
                name: "Letters".into(),
                rule,
                ..Default::default()
            })
            .await;
        let questions = (0..8)
            .map(|n| reserve(world.question(&format!("c_{n}")), &format!("dec_{n}")))
            .collect();
        let shown: Vec<_> = ask(world, questions).await.unwrap().iter().map(told_of).collect();
        assert_eq!(shown.iter().filter(|told| *told == "granted").count(), 3, "{shown:?}");
        assert_eq!(shown.iter().filter(|told| *told == "budget_exhausted").count(), 5, "{shown:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_a_batch_returns_its_first_answers() {
    seeded_on_both(async |world| {
        let questions: Vec<_> = (0..64)
            .map(|number| reserve(world.question(&format!("c_{number}")), &format!("dec_{number}")))
            .collect();
        let first = ask(world, questions.clone()).await.unwrap();
        assert!(first.iter().all(|answer| told_of(answer) == "granted"));
        let repeated = first.into_iter().map(|answer| match answer.kind {
            Some(gate_answer::Kind::Reserve(answer)) => {
                Some(gate_answer::Kind::Reserve(World::repeated(answer)))
            }
            other => other,
        });
        let repeated: Vec<_> =
            repeated.map(|kind: Option<gate_answer::Kind>| proto::GateAnswer { kind }).collect();
        assert_eq!(ask(world, questions).await.unwrap(), repeated);
        assert_eq!(world.ledger("c_63").await, ["dec_63 reserved"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_may_hold_256_questions() {
    seeded_on_both(async |world| {
        let questions = |count: usize| vec![check(world.question("ann")); count];
        assert_eq!(ask(world, questions(256)).await.unwrap().len(), 256);
        assert_eq!(reason(&ask(world, questions(257)).await.unwrap_err()), "LIMIT_EXCEEDED");
    })
    .await;
}

/// A held-out customer is checked. The check finds what a reservation in its place would: else the
/// last slots of a budget would go to one arm of an experiment only.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_batch_a_check_finds_what_the_questions_before_it_left_of_a_budget() {
    seeded_on_both(async |world| {
        let window_days = 7;
        let budget = proto::Budget { window_days, max_contacts: Some(3), max_spend: None };
        let rule = Some(proto::contact_policy::Rule::Budget(budget));
        world.create_policy(proto::ContactPolicy { rule, ..cap("pol_b", "global", 1, 1) }).await;
        // Ids in another order than the questions.
        let questions = vec![
            check(world.question("zoe")),
            reserve(world.question("yan"), "dec_1"),
            check(world.question("xia")),
            reserve(world.question("wim"), "dec_2"),
            // A ghost takes nothing: the next of the same customer finds the same.
            check(world.question("xia")),
            check(world.question("eve")),
            reserve(world.question("dan"), "dec_3"),
            check(world.question("cat")),
            reserve(world.question("bob"), "dec_4"),
            reserve(proto::ContactQuestion::default(), "dec_5"),
            check(world.question("ann")),
        ];
        let answers = ask(world, questions).await.unwrap();
        let shown: Vec<_> = answers.iter().map(told_of).collect();
        let (granted, checked, spent) = ("granted", "checked", "budget_exhausted");
        assert_eq!(
            shown,
            [
                checked,
                granted,
                checked,
                granted,
                checked,
                checked,
                granted,
                spent,
                spent,
                "InvalidArgument",
                spent
            ]
        );
        for untouched in ["zoe", "xia", "eve", "cat", "bob", "ann"] {
            assert!(world.ledger(untouched).await.is_empty(), "{untouched}");
        }
    })
    .await;
}

/// What is judged of a held-out customer is what would be judged of a treated one, offer by offer.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_for_some_slots_judges_every_offer_as_a_reservation_of_them_does() {
    seeded_on_both(async |world| {
        let offers = (0..6).map(|n| candidate(&format!("off_{n}"), "Apparel")).collect::<Vec<_>>();
        for limit in 1..=5 {
            let question = |customer: &str| proto::ContactQuestion {
                candidates: offers.clone(),
                ..world.question(customer)
            };
            let (ann, bob) = (format!("ann_{limit}"), format!("bob_{limit}"));
            let request = proto::CheckRequest { question: Some(question(&ann)), limit };
            let checked = world.gate().check(request).await.unwrap().into_inner();
            let request = proto::ReserveRequest {
                limit,
                ..reservation(question(&bob), &format!("d{limit}"))
            };
            let reserved = world.ask(request).await.unwrap();
            let verdicts = |judgment: Option<proto::Judgment>| judgment.unwrap().verdicts;
            assert_eq!(verdicts(checked.judgment), verdicts(reserved.judgment), "{limit}");
        }
        let request = proto::CheckRequest { question: Some(world.question("ann")), limit: 51 };
        let refused = world.gate().check(request).await.unwrap_err();
        assert_eq!(faults(&refused), ["limit: is 51; it must be 0 to 50"]);
    })
    .await;
}
