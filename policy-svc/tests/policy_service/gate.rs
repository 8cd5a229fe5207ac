//! Reserve, check, commit, release.

use chrono::TimeDelta;

use super::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_contact_passes_in_the_seeds_words() {
    seeded_on_both(async |world| {
        let response = world.reserve(world.question("ann"), "dec_1").await;
        let judgment = response.judgment.unwrap();
        assert_eq!(judgment.verdicts[0].summary, "passed (0 contacts in last 30d)");
        assert_eq!((judgment.timezone.as_str(), judgment.revision), ("Europe/London", 4));
        assert_eq!(judgment.tz_version, chrono_tz::IANA_TZDB_VERSION);
        assert_eq!(judgment.consent_sources, ["field customer.consentEmail: granted"]);
        assert_eq!(instant(judgment.ledger_at), noon());
        let grant = &response.grants[0];
        assert_eq!(
            (grant.offer_id.as_str(), grant.rank, response.decision_id.as_str()),
            ("off_apparel", 1, "dec_1")
        );
        assert_eq!(instant(grant.reserved_until), noon() + TimeDelta::hours(24));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_night_is_refused_in_the_seeds_words() {
    seeded_on_both(async |world| {
        world.clock.set("2026-07-03T01:00:00Z".parse().unwrap());
        let response = world.reserve(world.question("ann"), "dec_1").await;
        let refusal = response.judgment.unwrap().refusal.unwrap();
        assert_eq!(code(&refusal), "quiet_hours");
        assert_eq!(
            refusal.reason,
            "channel email is within quiet hours (21:00-08:00 local) — deliver after 08:00"
        );
        assert_eq!(refusal.deliver_after, "2026-07-03T08:00:00+01:00");
        assert!(response.grants.is_empty() && world.ledger("ann").await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fourth_touch_in_thirty_days_is_refused_and_the_next_window_lets_it_through() {
    seeded_on_both(async |world| {
        for decision in ["dec_1", "dec_2", "dec_3"] {
            assert_eq!(world.outcome_of_reserve("ann", decision).await, "granted");
            assert!(world.commit(world.question("ann"), decision).await.go);
            world.pass(TimeDelta::days(1));
        }
        let refused = world.reserve(world.question("ann"), "dec_4").await.judgment.unwrap();
        let verdict = &refused.verdicts[0];
        assert_eq!(verdict.summary, "3 of 3 in last 30d (3 contacts)");
        let refusal = verdict.refusal.as_ref().unwrap();
        assert_eq!((code(refusal), refusal.deliver_after.as_str()), ("frequency_cap", ""));
        let policy = &verdict.policies[0];
        assert_eq!(
            (policy.contacts, policy.reserved, policy.limit, policy.window_seconds),
            (3, 0, 3, 30 * 86_400)
        );
        assert_eq!(instant(policy.next_allowed_at), noon() + TimeDelta::days(30));
        world.clock.set(noon() + TimeDelta::days(30) - TimeDelta::microseconds(1));
        assert_eq!(world.outcome_of_reserve("ann", "dec_5").await, "frequency_cap");
        world.clock.set(noon() + TimeDelta::days(30));
        assert_eq!(world.outcome_of_reserve("ann", "dec_6").await, "granted");
        assert_eq!(world.outcome_of_reserve("ann", "dec_7").await, "frequency_cap");
    })
    .await;
}

/// "category:Apparel,Electronics,Home" with 3 means 3 in all, and the best ranked get them.
#[tokio::test(flavor = "multi_thread")]
async fn categories_of_one_policy_share_one_budget_and_ranking_order_wins() {
    seeded_on_both(async |world| {
        let mut question = world.question("ann");
        let offers = ["Apparel", "Electronics", "Home", "Apparel", "Toys"];
        question.candidates =
            offers.iter().zip(1..).map(|(name, n)| candidate(&format!("off_{n}"), name)).collect();
        let mut request = reservation(question, "dec_1");
        request.limit = 50;
        let response = world.ask(request).await.unwrap();
        let granted: Vec<_> =
            response.grants.iter().map(|grant| (grant.offer_id.as_str(), grant.rank)).collect();
        assert_eq!(granted, [("off_1", 1), ("off_2", 2), ("off_3", 3), ("off_5", 4)]);
        let judgment = response.judgment.unwrap();
        assert_eq!(judgment.verdicts[2].summary, "passed (0 contacts in last 30d, 2 reserved)");
        assert_eq!(
            judgment.verdicts[3].summary,
            "3 of 3 in last 30d (0 contacts, 3 reserved until 2026-07-04T11:00:00Z)"
        );
        assert_eq!(judgment.verdicts[4].summary, "passed (no policy)");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_a_request_gets_the_first_answer_and_no_second_slot() {
    seeded_on_both(async |world| {
        let ask = |decision: &str, request: &str| {
            let mut asked = reservation(world.question("ann"), decision);
            asked.request_id = request.into();
            async { world.ask(asked).await.unwrap() }
        };
        let first = ask("dec_1", "r1").await;
        world.pass(TimeDelta::hours(1));
        assert_eq!(ask("dec_2", "r1").await, World::repeated(first.clone()));
        assert_eq!(first.decision_id, "dec_1");
        assert_eq!(world.ledger("ann").await, ["dec_1 reserved"]);
        // Without a request id the decision's id makes the repeat.
        let unnamed = ask("dec_3", "").await;
        assert_eq!(ask("dec_3", "").await, World::repeated(unnamed));
        assert_eq!(world.ledger("ann").await.len(), 2);
        // Another customer's request of the same name is another request.
        assert_eq!(world.outcome_of_reserve("bob", "dec_1").await, "granted");
        world.clock.set(noon() + TimeDelta::hours(24));
        assert_eq!(ask("dec_4", "r1").await.decision_id, "dec_4");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_a_refused_request_is_judged_anew() {
    seeded_on_both(async |world| {
        world.clock.set("2026-07-03T01:00:00Z".parse().unwrap());
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "quiet_hours");
        world.clock.set(noon());
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "granted");
    })
    .await;
}

/// The first answer may be lost. The answer now must not pass over a withdrawal that was
/// acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_after_a_withdrawal_gives_the_slots_back() {
    seeded_on_both(async |world| {
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "granted");
        world.put_consent("ann", "email", false).await;
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "consent_withdrawn");
        assert_eq!(world.ledger("ann").await, ["dec_1 released"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_reserves_once() {
    seeded_on_both(async |world| {
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "granted");
        let mut request = reservation(world.question("ann"), "dec_1");
        request.request_id = "another".into();
        let status = world.ask(request).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (tonic::Code::FailedPrecondition, "WRONG_STATE")
        );
        assert_eq!(world.ledger("ann").await, ["dec_1 reserved"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_that_lapses_frees_its_slot() {
    seeded_on_both(async |world| {
        for decision in ["dec_1", "dec_2", "dec_3"] {
            assert_eq!(world.outcome_of_reserve("ann", decision).await, "granted");
        }
        assert_eq!(world.outcome_of_reserve("ann", "dec_4").await, "frequency_cap");
        world.clock.set(noon() + TimeDelta::hours(24) - TimeDelta::microseconds(1));
        assert_eq!(world.outcome_of_reserve("ann", "dec_5").await, "frequency_cap");
        world.clock.set(noon() + TimeDelta::hours(24));
        let mut ledger = world.ledger("ann").await;
        ledger.sort();
        assert_eq!(ledger, ["dec_1 expired", "dec_2 expired", "dec_3 expired"]);
        assert_eq!(world.outcome_of_reserve("ann", "dec_6").await, "granted");
    })
    .await;
}

/// On channels that people pull from a slot is held for a quarter of an hour.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_on_a_pull_channel_lapses_after_fifteen_minutes() {
    seeded_on_both(async |world| {
        let mut question = world.question("ann");
        (question.channel, question.customer_fields) = ("web".into(), Default::default());
        let response = world.reserve(question, "dec_1").await;
        assert_eq!(instant(response.grants[0].reserved_until), noon() + TimeDelta::minutes(15));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_gives_the_slot_back_once() {
    seeded_on_both(async |world| {
        for decision in ["dec_1", "dec_2", "dec_3"] {
            assert_eq!(world.outcome_of_reserve("ann", decision).await, "granted");
        }
        assert_eq!(world.release("ann", "dec_2", 2).await, 0);
        assert_eq!(world.release("ann", "dec_2", 1).await, 1);
        assert_eq!(world.release("ann", "dec_2", 0).await, 0);
        assert_eq!(world.release("nobody", "dec_2", 0).await, 0);
        assert_eq!(world.outcome_of_reserve("ann", "dec_4").await, "granted");
        assert_eq!(world.outcome_of_reserve("ann", "dec_5").await, "frequency_cap");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_go_is_final_and_repeated_under_the_same_contact() {
    seeded_on_both(async |world| {
        world.reserve(world.question("ann"), "dec_1").await;
        let first = world.commit(world.question("ann"), "dec_1").await;
        assert!(first.go && first.contact_id.starts_with("con_"));
        assert_eq!(world.release("ann", "dec_1", 0).await, 0);
        world.put_consent("ann", "email", false).await;
        world.clock.set("2026-07-04T01:00:00Z".parse().unwrap());
        assert_eq!(world.commit(world.question("ann"), "dec_1").await, first);
        assert_eq!(world.ledger("ann").await, ["dec_1 committed"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_hours_keep_the_reservation_and_a_withdrawal_gives_it_back() {
    seeded_on_both(async |world| {
        world.reserve(world.question("ann"), "dec_1").await;
        // The sender's instant does not count here, policy's own does.
        let question = world.question("ann");
        world.clock.set("2026-07-03T22:30:00Z".parse().unwrap());
        let refused = world.commit(question.clone(), "dec_1").await;
        let refusal = refused.refusal.unwrap();
        assert_eq!((refused.go, code(&refusal)), (false, "quiet_hours"));
        assert_eq!(refusal.deliver_after, "2026-07-04T08:00:00+01:00");
        assert_eq!(world.ledger("ann").await, ["dec_1 reserved"]);
        world.put_consent("ann", "email", false).await;
        assert_eq!(
            code(&world.commit(question, "dec_1").await.refusal.unwrap()),
            "consent_withdrawn"
        );
        assert_eq!(world.ledger("ann").await, ["dec_1 released"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_a_live_slot_is_judged_as_a_new_contact() {
    seeded_on_both(async |world| {
        for decision in ["dec_1", "dec_2", "dec_3"] {
            world.reserve(world.question("ann"), decision).await;
        }
        // Held back without a reservation: caps bind.
        assert_eq!(
            code(&world.commit(world.question("ann"), "dec_x").await.refusal.unwrap()),
            "frequency_cap"
        );
        assert_eq!(world.release("ann", "dec_2", 0).await, 1);
        assert!(world.commit(world.question("ann"), "dec_2").await.go);
        world.clock.set(noon() + TimeDelta::hours(24));
        assert!(world.commit(world.question("ann"), "dec_1").await.go);
        assert!(world.commit(world.question("ann"), "dec_x").await.go);
        assert_eq!(
            code(&world.commit(world.question("ann"), "dec_3").await.refusal.unwrap()),
            "frequency_cap"
        );
        let mut ledger = world.ledger("ann").await;
        ledger.sort();
        assert_eq!(
            ledger,
            ["dec_1 committed", "dec_2 committed", "dec_3 expired", "dec_x committed"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_judges_like_a_reservation_and_writes_nothing() {
    seeded_on_both(async |world| {
        for decision in ["dec_1", "dec_2"] {
            world.reserve(world.question("ann"), decision).await;
        }
        let before = world.ledger("ann").await;
        let mut question = world.question("ann");
        question.candidates.push(candidate("off_home", "Home"));
        question.pending_outcomes = vec![impression("ann", 1, "dec_1", noon())];
        let checked = world.check(question.clone()).await;
        assert_eq!(world.ledger("ann").await, before);
        let mut request = reservation(question, "dec_3");
        request.limit = 2;
        let reserved = world.ask(request).await.unwrap();
        assert_eq!(Some(checked.clone()), reserved.judgment);
        assert_eq!(checked.verdicts[0].summary, "passed (1 contacts in last 30d, 1 reserved)");
        assert_eq!(
            checked.verdicts[1].summary,
            "3 of 3 in last 30d (1 contacts, 2 reserved until 2026-07-04T11:00:00Z)"
        );
        let unknown = world.check(world.question("nobody")).await;
        assert_eq!(unknown.verdicts[0].summary, "passed (0 contacts in last 30d)");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_as_of_an_instant_leaves_out_what_is_later() {
    seeded_on_both(async |world| {
        let rest = proffer_proto::policy::v1::OutcomeBased {
            outcomes: vec!["complaint".into()],
            window_days: 90,
        };
        let rule = Some(proffer_proto::policy::v1::contact_policy::Rule::OutcomeBased(rest));
        let policy =
            proffer_proto::policy::v1::ContactPolicy { rule, ..cap("pol_z", "global", 1, 1) };
        world.create_policy(policy).await;
        world.reserve(world.question("ann"), "dec_1").await;
        assert!(world.commit(world.question("ann"), "dec_1").await.go);
        world.reserve(world.question("ann"), "dec_2").await;
        let complaint = proffer_proto::policy::v1::OutcomeFact {
            key: "complaint".into(),
            counts_as_contact: false,
            ..impression("ann", 1, "", noon())
        };
        world.deliver(vec![complaint]).await;
        let summary = async |as_of| {
            let mut question = world.question("ann");
            question.as_of = Some(stamp(as_of));
            let judgment = world.check(question).await;
            assert_eq!(instant(judgment.ledger_at), as_of);
            judgment.verdicts[0].summary.clone()
        };
        assert_eq!(
            summary(noon()).await,
            "complaint in last 90d, no contact until 2026-10-01T11:00:00Z"
        );
        let before = noon() - TimeDelta::microseconds(1);
        assert_eq!(summary(before).await, "passed (0 contacts in last 30d, 1 reserved)");
        assert_eq!(summary(noon() + TimeDelta::days(90)).await, "passed (0 contacts in last 30d)");
    })
    .await;
}

/// The ledger instant is the later of the clock and the last one stored.
#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_never_runs_backwards_whatever_the_clock_does() {
    seeded_on_both(async |world| {
        world.reserve(world.question("ann"), "dec_1").await;
        world.clock.set(noon() - TimeDelta::hours(1));
        let response = world.reserve(world.question("ann"), "dec_2").await;
        assert_eq!(instant(response.judgment.unwrap().ledger_at), noon());
        assert_eq!(instant(world.check(world.question("ann")).await.ledger_at), noon());
        let other = world.reserve(world.question("bob"), "dec_3").await;
        assert_eq!(instant(other.judgment.unwrap().ledger_at), noon() - TimeDelta::hours(1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_listed_newest_first_and_page_by_page() {
    seeded_on_both(async |world| {
        for decision in ["dec_1", "dec_2", "dec_3"] {
            let mut question = world.question("ann");
            question.candidates = vec![candidate("off_toy", "Toys")];
            world.reserve(question, decision).await;
            world.pass(TimeDelta::minutes(1));
        }
        let page = async |page_token: String| {
            let request = proffer_proto::policy::v1::ListContactsRequest {
                customer_id: "ann".into(),
                page_size: 2,
                page_token,
                timezone: String::new(),
            };
            let page = world.contacts().list_contacts(request).await.unwrap().into_inner();
            let decisions: Vec<_> =
                page.contacts.iter().map(|contact| contact.decision_id.clone()).collect();
            (decisions, page.next_page_token)
        };
        let (first, next) = page(String::new()).await;
        assert_eq!(first, ["dec_3", "dec_2"]);
        let (second, end) = page(next).await;
        assert_eq!((second, end.as_str()), (vec!["dec_1".to_owned()], ""));
        assert!(world.ledger("nobody").await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_answers_are_purged_and_young_ones_stay() {
    seeded_on_both(async |world| {
        world.reserve(world.question("ann"), "dec_1").await;
        world.pass(TimeDelta::hours(1));
        let young = world.reserve(world.question("ann"), "dec_2").await;
        world.clock.set(noon() + TimeDelta::hours(24));
        assert_eq!(world.app.purge().await.unwrap(), 1);
        assert_eq!(world.reserve(world.question("ann"), "dec_2").await, World::repeated(young));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_tell_what_each_policy_leaves_free() {
    use proffer_proto::policy::v1 as proto;
    seeded_on_both(async |world| {
        let rest = proto::contact_policy::Rule::Cooldown(proto::Cooldown { window_hours: 2 });
        let rest = proto::ContactPolicy { rule: Some(rest), ..cap("pol_rest", "global", 1, 1) };
        world.create_policy(rest).await;
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "granted");
        assert!(world.commit(world.question("ann"), "dec_1").await.go);
        assert_eq!(world.outcome_of_reserve("ann", "dec_2").await, "cooldown");
        let request =
            proto::ListContactsRequest { customer_id: "ann".into(), ..Default::default() };
        let told = world.contacts().list_contacts(request).await.unwrap().into_inner();
        let rows = told
            .policies
            .iter()
            .map(|row| (row.rule_type.as_str(), row.contacts, row.limit, row.free));
        assert_eq!(rows.collect::<Vec<_>>(), [("cooldown", 1, 1, 0), ("frequency_cap", 1, 3, 2)]);
        assert_eq!(told.timezone, "UTC");
        assert_eq!(told.policies[1].next_allowed_at, None);
        assert_eq!(instant(told.policies[0].next_allowed_at), noon() + TimeDelta::hours(2));
        world.pass(TimeDelta::hours(2));
        assert_eq!(world.outcome_of_reserve("ann", "dec_2").await, "granted");
    })
    .await;
}
