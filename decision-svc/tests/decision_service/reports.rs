//! What reports answer, in every form, and what they refuse.

use proffer_proto::{
    decision::v1::{self as proto, DecisionDimension, OutcomeDimension},
    values::v1::{Value, value::Kind},
};
use tonic::{Code, Status};

use super::{
    logs,
    suite::{NOW_US, Suite, lapsed, on_both, question, report, told},
};

/// Decides for two customers, and reports an impression of each, a click and a purchase.
async fn programme(suite: &Suite) {
    suite.app.follow(logs::of(&suite.fakes));
    for (number, customer_id) in ["ann", "bob"].into_iter().enumerate() {
        lapsed(&suite.fakes, customer_id, "apparel", "2026-07-03");
        let made = suite.recommend(question(customer_id)).await.unwrap();
        let of = |outcome: &str| proto::OutcomeReport {
            decision_id: made.decision_id.clone().unwrap(),
            ..report(customer_id, outcome, outcome)
        };
        suite.respond(of("impression")).await.unwrap();
        if number == 0 {
            suite.respond(of("click")).await.unwrap();
            let value = Some(Value { kind: Some(Kind::DecimalValue("49.9001".to_owned())) });
            suite.respond(proto::OutcomeReport { value, ..of("conversion") }).await.unwrap();
        }
    }
    suite.recommend(question("stranger")).await.unwrap();
    suite.clock.set(serve::from_micros(NOW_US + 1_000_000));
    suite.app.count_for_reports().await.unwrap();
}

async fn outcomes(
    suite: &Suite,
    asked: proto::GetOutcomeReportRequest,
) -> Result<proto::GetOutcomeReportResponse, Status> {
    Ok(suite.reports.clone().get_outcome_report(asked).await?.into_inner())
}

async fn decisions(
    suite: &Suite,
    asked: proto::GetDecisionReportRequest,
) -> Result<proto::GetDecisionReportResponse, Status> {
    Ok(suite.reports.clone().get_decision_report(asked).await?.into_inner())
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn impressions_clicks_and_conversions_of_an_offer_are_a_row_with_rates() {
    on_both(async |suite| {
        programme(&suite).await;
        let asked = proto::GetOutcomeReportRequest {
            group_by: vec![OutcomeDimension::Offer.into()],
            rate: texts(&["click/impression", "conversion/click", "opt_out/opt_out"]),
            ..Default::default()
        };
        let found = outcomes(&suite, asked).await.unwrap();
        let [row] = &found.rows[..] else { panic!("{found:?}") };
        let offer = row.offer.clone().unwrap();
        assert_eq!((&*offer.id, &*offer.name), ("off_apparel", "Apparel — 20% back"));
        assert_eq!((row.count, row.valued, &row.day, &row.outcome), (4, 1, &None, &None));
        let value = row.value.clone().unwrap().kind.unwrap();
        assert_eq!(value, Kind::DecimalValue("49.9001".to_owned()));
        let rates: Vec<_> = row
            .rates
            .iter()
            .map(|it| (&*it.rate, it.numerator, it.denominator, it.value))
            .collect();
        let expected = [
            ("click/impression", 1, 2, Some(0.5)),
            ("conversion/click", 1, 1, Some(1.0)),
            ("opt_out/opt_out", 0, 0, None),
        ];
        assert_eq!(rates, expected);
        let scope = found.scope.unwrap();
        assert_eq!(
            (&*scope.from, &*scope.to, &*scope.time_zone),
            ("2026-10-24", "2026-11-22", "UTC")
        );
        assert_eq!(scope.counted_through.unwrap().seconds, NOW_US / 1_000_000);
        assert_eq!(
            scope.csv,
            "/api/v1/reports/outcomes.csv?from=2026-10-24&to=2026-11-22&groupBy=offer&\
             rate=click/impression&rate=conversion/click&rate=opt_out/opt_out"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_counted_by_reason_and_their_offers_by_offer() {
    on_both(async |suite| {
        programme(&suite).await;
        let found = decisions(&suite, proto::GetDecisionReportRequest::default()).await.unwrap();
        let rows: Vec<_> =
            found.rows.iter().map(|row| (row.reason(), row.decisions, row.offers)).collect();
        assert_eq!(rows, [("customer_unknown", Some(1), 0), ("none", Some(2), 2)]);
        let total = found.total.unwrap();
        assert_eq!((total.decisions, total.offers), (Some(3), 2));
        let asked = proto::GetDecisionReportRequest {
            group_by: vec![DecisionDimension::Category.into(), DecisionDimension::Channel.into()],
            ..Default::default()
        };
        let found = decisions(&suite, asked).await.unwrap();
        let [row] = &found.rows[..] else { panic!("{found:?}") };
        assert_eq!(row.category.clone().unwrap().id, "cat_apparel");
        assert_eq!(row.channel.clone().unwrap().name, "email");
        assert_eq!((row.decisions, row.offers), (None, 2));
        let asked = proto::GetDecisionReportRequest {
            group_by: vec![DecisionDimension::Day.into()],
            rate: texts(&["none/all"]),
            ..Default::default()
        };
        let found = decisions(&suite, asked).await.unwrap();
        let rate = &found.rows[0].rates[0];
        assert_eq!((found.rows[0].day(), rate.numerator, rate.denominator), ("2026-11-22", 2, 3));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_take_ids_and_names_and_what_was_deleted() {
    on_both(async |suite| {
        programme(&suite).await;
        let count = async |asked: proto::GetOutcomeReportRequest| {
            outcomes(&suite, asked).await.unwrap().total.unwrap().count
        };
        let base = proto::GetOutcomeReportRequest::default;
        for (flow, offer) in [
            ("winback", "apparel — 20% back"),
            ("flow_winback", "off_apparel"),
            ("Winback", "off_apparel"),
        ] {
            let asked = proto::GetOutcomeReportRequest {
                flow: texts(&[flow]),
                offer: texts(&[offer]),
                ..base()
            };
            assert_eq!(count(asked).await, 4, "{flow} {offer}");
        }
        let outcome = texts(&["click", "conversion"]);
        assert_eq!(count(proto::GetOutcomeReportRequest { outcome, ..base() }).await, 2);
        let offer = texts(&["off_home"]);
        assert_eq!(count(proto::GetOutcomeReportRequest { offer, ..base() }).await, 0);
        let channel = texts(&["EMail"]);
        assert_eq!(count(proto::GetOutcomeReportRequest { channel, ..base() }).await, 4);
        let flow = texts(&[""]);
        assert_eq!(count(proto::GetOutcomeReportRequest { flow, ..base() }).await, 0);
        let delete = proto::DeleteDecisionFlowRequest {
            id: "flow_winback".to_owned(),
            ..Default::default()
        };
        suite.flows.clone().delete_decision_flow(delete).await.unwrap();
        let flow = texts(&["flow_winback"]);
        let asked = proto::GetOutcomeReportRequest {
            flow,
            group_by: vec![OutcomeDimension::Flow.into()],
            ..base()
        };
        let found = outcomes(&suite, asked).await.unwrap();
        let flow = found.rows[0].flow.clone().unwrap();
        assert_eq!((&*flow.id, &*flow.name, found.rows[0].count), ("flow_winback", "", 4));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_question_names_its_fields_and_what_would_be_right() {
    on_both(async |suite| {
        programme(&suite).await;
        let base = proto::GetOutcomeReportRequest::default;
        let check = async |asked: proto::GetOutcomeReportRequest, field: &str, says: &str| {
            let status = outcomes(&suite, asked).await.unwrap_err();
            let (code, _, fields) = told(&status);
            assert_eq!((code, &*fields[0]), (Code::InvalidArgument, field), "{status:?}");
            assert!(status.message().contains(says), "{} has no {says}", status.message());
        };
        type Asked = proto::GetOutcomeReportRequest;
        let day = |from: &str, to: &str| Asked { from: from.into(), to: to.into(), ..base() };
        check(day("22.11.2026", ""), "from", "write it as `2026-11-22`").await;
        check(day("", "2026-02-30"), "to", "is not a day").await;
        check(day("+12026-01-01", ""), "from", "is not a day").await;
        check(day("2026-11-02", "2026-11-01"), "from", "is after `to`").await;
        check(day("2024-11-01", "2026-11-02"), "from", "at most 731").await;
        assert!(outcomes(&suite, day("2024-11-02", "2026-11-02")).await.is_ok());
        let group_by = vec![2, 2];
        check(Asked { group_by, ..base() }, "group_by", "names `flow` twice").await;
        let group_by = vec![9];
        check(Asked { group_by, ..base() }, "group_by", "one of day, flow").await;
        let flow = texts(&["Winbak"]);
        check(Asked { flow, ..base() }, "flow", "did you mean `Winback`?").await;
        let offer = texts(&["off_nothing"]);
        check(Asked { offer, ..base() }, "offer", "is not a known offer").await;
        let outcome = texts(&["convertion"]);
        check(Asked { outcome, ..base() }, "outcome", "did you mean `conversion`?").await;
        let rate = texts(&["click"]);
        check(Asked { rate, ..base() }, "rate", "write it as `click/impression`").await;
        let rate = texts(&["click/impresion"]);
        check(Asked { rate, ..base() }, "rate", "did you mean `impression`?").await;
        let (rate, group_by) = (texts(&["click/all"]), vec![OutcomeDimension::Outcome.into()]);
        check(Asked { rate, group_by, ..base() }, "rate", "leave `outcome` out").await;
        let offer = vec![String::new(); 100];
        assert!(outcomes(&suite, Asked { offer, ..base() }).await.is_ok());
        let offer = vec![String::new(); 101];
        check(Asked { offer, ..base() }, "offer", "at most 100").await;
        let rate = (0..11).map(|number| format!("click/{number}")).collect();
        check(Asked { rate, ..base() }, "rate", "at most 10").await;
        check(Asked { page_size: 1_001, ..base() }, "page_size", "1 to 1000").await;
        let page_token = "zz".to_owned();
        check(Asked { page_token, ..base() }, "page_token", "is not a token").await;

        type Decisions = proto::GetDecisionReportRequest;
        let reason = texts(&["quite_hours"]);
        let status =
            decisions(&suite, Decisions { reason, ..Default::default() }).await.unwrap_err();
        assert!(status.message().contains("did you mean `quiet_hours`?"), "{status:?}");
        let (offer, rate) = (texts(&["off_apparel"]), texts(&["holdout/all"]));
        let group_by = vec![DecisionDimension::Reason.into()];
        let asked = Decisions { offer, rate, group_by, ..Default::default() };
        let status = decisions(&suite, asked).await.unwrap_err();
        assert_eq!(told(&status).2, ["rate", "reason", "rate"]);
        assert!(status.message().contains("leave out `offer`"), "{status:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_page_goes_on_in_its_own_report_only() {
    on_both(async |suite| {
        programme(&suite).await;
        let asked = |page_token: &str| proto::GetOutcomeReportRequest {
            page_size: 1,
            page_token: page_token.to_owned(),
            ..Default::default()
        };
        let (mut kinds, mut token) = (Vec::new(), String::new());
        loop {
            let page = outcomes(&suite, asked(&token)).await.unwrap();
            assert_eq!(page.rows.len(), 1);
            kinds.extend(page.rows.into_iter().filter_map(|row| row.outcome));
            if page.next_page_token.is_empty() {
                break;
            }
            token = page.next_page_token;
        }
        assert_eq!(kinds, ["click", "conversion", "impression"]);
        let other =
            proto::GetOutcomeReportRequest { offer: texts(&["off_apparel"]), ..asked(&token) };
        let status = outcomes(&suite, other).await.unwrap_err();
        assert_eq!(told(&status).2, ["page_token"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_report_is_a_table_and_a_picture() {
    on_both(async |suite| {
        programme(&suite).await;
        let mut reports = suite.reports.clone();
        let asked = proto::GetOutcomeReportTableRequest {
            group_by: vec![OutcomeDimension::Day.into(), OutcomeDimension::Offer.into()],
            outcome: texts(&["conversion", "impression"]),
            ..Default::default()
        };
        let table = reports.get_outcome_report_table(asked).await.unwrap().into_inner().table;
        let table = table.unwrap();
        assert_eq!(table.content_type, "text/csv");
        assert_eq!(
            table.text,
            "day,offer,offerName,count,valued,value\r\n\
             2026-11-22,off_apparel,Apparel — 20% back,3,1,49.9001\r\n"
        );
        let asked = proto::GetOutcomeReportPictureRequest::default();
        let picture = reports.get_outcome_report_picture(asked).await.unwrap().into_inner().picture;
        let picture = picture.unwrap();
        assert_eq!(picture.content_type, "image/svg+xml");
        for text in ["<svg", "Outcomes by day", "impression", "2026-10-24 to 2026-11-22"] {
            assert!(picture.text.contains(text), "{text}\n{}", picture.text);
        }
        let asked = proto::GetDecisionReportTableRequest::default();
        let table = reports.get_decision_report_table(asked).await.unwrap().into_inner().table;
        let expected = "reason,decisions,offers\r\ncustomer_unknown,1,0\r\nnone,2,2\r\n";
        assert_eq!(table.unwrap().text, expected);
        let asked = proto::GetDecisionReportPictureRequest {
            group_by: vec![DecisionDimension::Offer.into()],
            ..Default::default()
        };
        let picture =
            reports.get_decision_report_picture(asked).await.unwrap().into_inner().picture;
        assert!(picture.unwrap().text.contains("Offers in decisions by day"));
    })
    .await;
}
