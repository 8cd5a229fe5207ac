//! ConsentService.

use proffer_proto::policy::v1::{self as proto, consent_service_server::ConsentService};
use serve::{Problem, metadata};
use tonic::{Request, Response, Status};

use super::{Context, id_fault, in_its_own_task, instant, text_fault};
use crate::{
    domain::consent::{AHEAD_MAX, ConsentRecord},
    store::NewConsent,
};

/// What customers said.
pub struct Consents(pub Context);

/// Longest source, in characters.
const SOURCE_MAX: usize = 200;
/// Longest evidence, in characters.
const EVIDENCE_MAX: usize = 2_000;

impl Consents {
    fn parse(&self, asked: &proto::PutConsentRequest) -> Result<NewConsent, Problem> {
        let mut faults = Vec::new();
        let mut fault = |path: &str, message: String| faults.push((path.to_owned(), message));
        if let Some(message) = id_fault(&asked.customer_id) {
            fault("customer_id", message);
        }
        let is_grant = asked.granted.unwrap_or_else(|| {
            fault("granted", "is required: true for a grant, false for a withdrawal".to_owned());
            false
        });
        let at = asked.at.as_ref().map(instant).transpose().unwrap_or_else(|message| {
            fault("at", message);
            None
        });
        if at.is_some_and(|at| at > self.0.clock.now() + AHEAD_MAX) {
            let minutes = AHEAD_MAX.num_minutes();
            fault("at", format!("is more than {minutes} minutes ahead; leave it out for something said now"));
        }
        for (path, text, characters_max) in
            [("source", &asked.source, SOURCE_MAX), ("evidence", &asked.evidence, EVIDENCE_MAX)]
        {
            let length = text.chars().count();
            if length > characters_max {
                fault(path, format!("has {length} characters, which exceeds the maximum {characters_max}"));
            } else if let Some(message) = text_fault(text, usize::MAX) {
                fault(path, message);
            }
        }
        if !faults.is_empty() {
            return Err(Problem::invalid_fields(faults));
        }
        Ok(NewConsent { is_grant, at, source: asked.source.clone(), evidence: asked.evidence.clone() })
    }
}

/// A record as told: `channel` as it was asked for.
fn told(customer_id: String, channel: String, record: ConsentRecord, is_effective: bool) -> proto::Consent {
    proto::Consent {
        customer_id,
        channel,
        granted: record.is_grant,
        at: Some(history::timestamp(record.at)),
        source: record.source,
        evidence: record.evidence,
        effective: is_effective,
    }
}

#[tonic::async_trait]
impl ConsentService for Consents {
    async fn put_consent(
        &self,
        request: Request<proto::PutConsentRequest>,
    ) -> Result<Response<proto::PutConsentResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        let new = self.parse(&asked)?;
        let configuration = self.0.configuration(&tenant).await?;
        let channel = configuration.channel(&asked.channel).cloned();
        let channel = channel.ok_or_else(|| Problem::not_found("channel", &asked.channel))?;
        let (store, customer_id) = (self.0.store.clone(), asked.customer_id.clone());
        let put = in_its_own_task(async move {
            let put = store.put_consent(&tenant, &customer_id, &channel, new).await;
            put.map_err(|error| serve::store_status(&error))
        });
        let put = put.await?;
        let consent = told(asked.customer_id, asked.channel, put.record, put.is_effective);
        Ok(Response::new(proto::PutConsentResponse { consent: Some(consent) }))
    }

    async fn get_consent(
        &self,
        request: Request<proto::GetConsentRequest>,
    ) -> Result<Response<proto::GetConsentResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        if let Some(message) = id_fault(&asked.customer_id) {
            return Err(Problem::invalid_field("customer_id", message).into());
        }
        let configuration = self.0.configuration(&tenant).await?;
        let channel = configuration.channel(&asked.channel);
        let channel = channel.ok_or_else(|| Problem::not_found("channel", &asked.channel))?;
        let found = self.0.store.consent(&tenant, &asked.customer_id, channel).await;
        let found = found.map_err(|error| serve::store_status(&error))?;
        let record = found.ok_or_else(|| Problem::not_found("consent", &asked.channel))?;
        let consent = told(asked.customer_id, asked.channel, record, true);
        Ok(Response::new(proto::GetConsentResponse { consent: Some(consent) }))
    }
}
