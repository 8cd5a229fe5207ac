//! policy-svc by itself, called in process as `proffer serve` calls it.

use std::collections::BTreeMap;

use database::Location;
use policy_svc::{App, Deps};
use proffer_proto::{
    policy::v1::{
        self as proto, channel_service_client::ChannelServiceClient,
        contact_gate_service_client::ContactGateServiceClient, contact_policy::Rule,
        contact_policy_service_client::ContactPolicyServiceClient,
    },
    values::v1::{Value, value::Kind},
};
use serve::{Clock, Neighbour};

/// The service with the example's channel and policy, at noon in London.
#[derive(Clone)]
pub struct Gate {
    /// The clock of the service.
    pub clock: Clock,
    neighbour: Neighbour,
}

impl Gate {
    /// Starts the service on an empty store.
    pub async fn open(location: &Location) -> anyhow::Result<Self> {
        let clock = Clock::starting_at("2026-07-03T11:00:00Z".parse()?);
        let app = App::build(location, Deps { clock: clock.clone() }).await?;
        let gate = Self { clock, neighbour: Neighbour::local(app.routes()) };
        let config = proto::ChannelConfig {
            quiet_hours_start: "21:00".into(),
            quiet_hours_end: "08:00".into(),
            timezone_source: vec!["customer.timezone".into()],
            ..Default::default()
        };
        let channel =
            proto::Channel { name: "email".into(), config: Some(config), ..Default::default() };
        let channels = &mut ChannelServiceClient::new(gate.neighbour.clone());
        let channel = proto::CreateChannelRequest { channel: Some(channel), ..Default::default() };
        channels.create_channel(channel).await?;
        let cap = proto::FrequencyCap { window_days: 30, max_impressions: 3, ..Default::default() };
        let policy = proto::ContactPolicy {
            name: "Winback 3-touch cap, 30-day window".into(),
            scope: "category:Apparel,Electronics,Home".into(),
            rule: Some(Rule::FrequencyCap(cap)),
            ..Default::default()
        };
        let policies = &mut ContactPolicyServiceClient::new(gate.neighbour.clone());
        policies
            .create_contact_policy(proto::CreateContactPolicyRequest {
                contact_policy: Some(policy),
                ..Default::default()
            })
            .await?;
        Ok(gate)
    }

    /// A client of the service.
    pub fn client(&self) -> ContactGateServiceClient<Neighbour> {
        ContactGateServiceClient::new(self.neighbour.clone())
    }

    /// A request for one e-mail offer now, for a customer who consents.
    pub fn question(&self, customer_id: &str) -> proto::ContactQuestion {
        let text = |text: &str| Value { kind: Some(Kind::StringValue(text.into())) };
        let yes = Value { kind: Some(Kind::BooleanValue(true)) };
        proto::ContactQuestion {
            customer_id: customer_id.into(),
            channel: "email".into(),
            now: Some(history::timestamp(self.clock.now())),
            customer_fields: BTreeMap::from([
                ("timezone".to_owned(), text("Europe/London")),
                ("consentEmail".to_owned(), yes),
            ]),
            candidates: vec![proto::OfferSubject {
                offer_id: "off_apparel".into(),
                category: "Apparel".into(),
                ..Default::default()
            }],
            ..Default::default()
        }
    }
}
