//! Consent records and how they weigh against fields.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proffer_proto::{policy::v1 as proto, values::v1::Value};
use tonic::Code;

use super::world::*;

async fn put(
    world: &World,
    granted: bool,
    at: DateTime<Utc>,
) -> Result<proto::Consent, tonic::Status> {
    let request = proto::PutConsentRequest {
        customer_id: "ann".into(),
        channel: "email".into(),
        granted: Some(granted),
        at: Some(stamp(at)),
        source: "preference_center".into(),
        evidence: "form 12".into(),
    };
    world
        .consents()
        .put_consent(request)
        .await
        .map(|response| response.into_inner().consent.unwrap())
}

async fn deciding(world: &World, channel: &str) -> Result<bool, Code> {
    let request = proto::GetConsentRequest { customer_id: "ann".into(), channel: channel.into() };
    let found = world.consents().get_consent(request).await;
    found
        .map(|response| response.into_inner().consent.unwrap().granted)
        .map_err(|status| status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strictest_source_wins() {
    seeded_on_both(async |world| {
        let ask = async |fields: &[(&str, Value)], decision: &str| {
            let mut question = world.question("ann");
            question.customer_fields =
                BTreeMap::from([("timezone".to_owned(), text("Europe/London"))]);
            question
                .customer_fields
                .extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            told(&world.reserve(question, decision).await)
        };
        assert_eq!(ask(&[], "d1").await, "consent_unknown");
        assert_eq!(ask(&[("consentEmail", Value::default())], "d2").await, "consent_unknown");
        assert_eq!(ask(&[("consentEmail", boolean(false))], "d3").await, "consent_withheld");
        world.put_consent("ann", "email", true).await;
        assert_eq!(ask(&[], "d4").await, "granted");
        assert_eq!(ask(&[("consentEmail", boolean(false))], "d5").await, "consent_withheld");
        world.pass(TimeDelta::minutes(1));
        world.put_consent("ann", "email", false).await;
        assert_eq!(ask(&[("consentEmail", boolean(true))], "d6").await, "consent_withdrawn");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_event_decides_and_a_withdrawal_wins_a_tie() {
    seeded_on_both(async |world| {
        let minutes = TimeDelta::minutes;
        assert_eq!(deciding(world, "email").await, Err(Code::NotFound));
        let granted = put(world, true, noon() - minutes(10)).await.unwrap();
        assert_eq!((granted.effective, instant(granted.at)), (true, noon() - minutes(10)));
        assert_eq!(
            (granted.source.as_str(), granted.evidence.as_str()),
            ("preference_center", "form 12")
        );
        // Dated before the grant: kept as evidence, without effect.
        assert!(!put(world, false, noon() - minutes(11)).await.unwrap().effective);
        assert_eq!(deciding(world, "email").await, Ok(true));
        assert!(put(world, false, noon() - minutes(10)).await.unwrap().effective);
        assert_eq!(deciding(world, "email").await, Ok(false));
        assert!(!put(world, true, noon() - minutes(10)).await.unwrap().effective);
        assert_eq!(deciding(world, "email").await, Ok(false));
        assert_eq!(deciding(world, "sms").await, Err(Code::NotFound));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_in_the_future() {
    seeded_on_both(async |world| {
        let ahead = put(world, true, noon() + TimeDelta::minutes(5)).await.unwrap();
        assert_eq!(instant(ahead.at), noon());
        let beyond = put(world, true, noon() + TimeDelta::minutes(5) + TimeDelta::microseconds(1))
            .await
            .unwrap_err();
        assert_eq!(
            faults(&beyond),
            ["at: is more than 5 minutes ahead; leave it out for something said now"]
        );
        // At receipt, after a grant that was dated ahead: it binds.
        assert!(world.put_consent("ann", "email", false).await.effective);
        assert_eq!(deciding(world, "email").await, Ok(false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_records_are_refused_with_every_fault() {
    seeded_on_both(async |world| {
        let request = proto::PutConsentRequest {
            source: "x".repeat(201),
            evidence: "e\0".into(),
            channel: "email".into(),
            at: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
            ..Default::default()
        };
        let status = world.consents().put_consent(request).await.unwrap_err();
        assert_eq!(
            faults(&status),
            [
                "customer_id: is required",
                "granted: is required: true for a grant, false for a withdrawal",
                "at: is not an instant of the years 1 to 9999",
                "source: has 201 characters, which exceeds the maximum 200",
                "evidence: must not contain a null character",
            ]
        );
        let request = proto::PutConsentRequest {
            customer_id: "ann".into(),
            channel: "fax".into(),
            granted: Some(true),
            ..Default::default()
        };
        assert_eq!(world.consents().put_consent(request).await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_holds_every_record_in_the_order_received() {
    seeded_on_both(async |world| {
        let minutes = TimeDelta::minutes;
        put(world, true, noon() - minutes(10)).await.unwrap();
        put(world, false, noon() - minutes(11)).await.unwrap();
        world.pass(minutes(1));
        world.put_consent("ann", "sms", false).await;
        let (mut told, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = proto::ExportConsentProofRequest {
                customer_id: "ann".into(),
                page_size: 2,
                page_token,
            };
            let page = world.consents().export_consent_proof(request).await.unwrap().into_inner();
            told.extend(page.consents);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let rows = told.iter().map(|row| (row.channel.as_str(), row.granted, row.effective));
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [("email", true, true), ("email", false, false), ("sms", false, true)]
        );
        assert_eq!(
            (instant(told[1].at), instant(told[1].received_at)),
            (noon() - minutes(11), noon())
        );
        assert_eq!(
            (told[0].source.as_str(), told[0].evidence.as_str()),
            ("preference_center", "form 12")
        );
        let request = proto::ListConsentsRequest { customer_id: "ann".into() };
        let now = world.consents().list_consents(request).await.unwrap().into_inner().consents;
        let now = now.iter().map(|row| (row.channel.as_str(), row.granted)).collect::<Vec<_>>();
        assert_eq!(now, [("email", true), ("sms", false)]);
    })
    .await;
}
