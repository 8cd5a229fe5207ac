//! ConsentService: records consent, and lists it with its evidence.

use proffer_proto::policy::v1::{self as proto, consent_service_server::ConsentService};
use serve::{Problem, metadata};
use tonic::{Request, Response, Status};

use super::{Context, in_its_own_task, page_position, status::status};
use crate::{
    domain::consent::{AHEAD_MAX, ConsentRecord, EVERY_CHANNEL, is_effective},
    gate::NewConsent,
    messages::{id_fault, instant},
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
            fault(
                "at",
                format!(
                    "is more than {minutes} minutes ahead; leave it out for something said now"
                ),
            );
        }
        for (path, text, characters_max) in
            [("source", &asked.source, SOURCE_MAX), ("evidence", &asked.evidence, EVIDENCE_MAX)]
        {
            let length = text.chars().count();
            if length > characters_max {
                fault(
                    path,
                    format!("has {length} characters, which exceeds the maximum {characters_max}"),
                );
            } else if let Some(message) = wire::text::null_fault(text) {
                fault(path, message);
            }
        }
        if !faults.is_empty() {
            return Err(Problem::invalid_fields(faults));
        }
        Ok(NewConsent {
            is_grant,
            at,
            source: asked.source.clone(),
            evidence: asked.evidence.clone(),
        })
    }
}

/// A record; `channel` is the name or id in the request.
fn printed(
    customer_id: String,
    channel: String,
    record: ConsentRecord,
    is_effective: bool,
) -> proto::Consent {
    proto::Consent {
        customer_id,
        channel,
        granted: record.is_grant,
        at: Some(history::timestamp(record.at)),
        source: record.source,
        evidence: record.evidence,
        effective: is_effective,
        received_at: Some(history::timestamp(record.received_at)),
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
        let (gate, customer_id) = (self.0.gate.clone(), asked.customer_id.clone());
        let channel = asked.channel.clone();
        let put = in_its_own_task(async move {
            gate.put_consent(&tenant, &customer_id, &channel, new).await.map_err(status)
        });
        let put = put.await?;
        let consent = printed(asked.customer_id, asked.channel, put.record, put.is_effective);
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
        let configuration = self.0.configurations.newest(&tenant).await?;
        let channel = configuration.channel(&asked.channel);
        let channel = channel.ok_or_else(|| Problem::not_found("channel", &asked.channel))?;
        let found = self.0.store.consent(&tenant, &asked.customer_id, channel).await;
        let found = found.map_err(|error| serve::store_status(&error))?;
        let none = "; the customer has no consent record for this channel";
        let unknown = || Problem::not_found("consent", &asked.channel).hint(none);
        let record = found.ok_or_else(unknown)?;
        let consent = printed(asked.customer_id, asked.channel, record, true);
        Ok(Response::new(proto::GetConsentResponse { consent: Some(consent) }))
    }

    async fn list_consents(
        &self,
        request: Request<proto::ListConsentsRequest>,
    ) -> Result<Response<proto::ListConsentsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let customer_id = request.into_inner().customer_id;
        if let Some(message) = id_fault(&customer_id) {
            return Err(Problem::invalid_field("customer_id", message).into());
        }
        let configuration = self.0.configurations.newest(&tenant).await?;
        let found = self.0.store.consents(&tenant, &customer_id).await;
        let records = found.map_err(|error| serve::store_status(&error))?;
        let mut consents = Vec::new();
        for channel in &configuration.channels {
            // They come latest first, of two at the same instant the withdrawal.
            if let Some(record) = records.iter().find(|record| record.speaks_for(channel)) {
                consents.push(printed(
                    customer_id.clone(),
                    channel.name.clone(),
                    record.clone(),
                    true,
                ));
            }
        }
        if let Some(record) = records.iter().find(|record| record.channel_id == EVERY_CHANNEL) {
            let is_effective = is_effective(record, &records, &configuration.channels);
            consents.push(printed(
                customer_id,
                EVERY_CHANNEL.to_owned(),
                record.clone(),
                is_effective,
            ));
        }
        consents.sort_by(|a, b| a.channel.cmp(&b.channel));
        Ok(Response::new(proto::ListConsentsResponse { consents }))
    }

    async fn export_consent_proof(
        &self,
        request: Request<proto::ExportConsentProofRequest>,
    ) -> Result<Response<proto::ExportConsentProofResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        let customer_id = asked.customer_id;
        if let Some(message) = id_fault(&customer_id) {
            return Err(Problem::invalid_field("customer_id", message).into());
        }
        let listing = history::Listing::new(&["consents", &customer_id]);
        let (size, after) =
            listing.page(asked.page_size, &asked.page_token).map_err(Problem::invalid_fields)?;
        let (received_us, consent_id) = page_position(&after, i64::MIN)?;
        let configuration = self.0.configurations.newest(&tenant).await?;
        let store = &self.0.store;
        let found = store
            .consent_proof(&tenant, &customer_id, (received_us, &consent_id), i64::from(size) + 1)
            .await;
        let mut page = found.map_err(|error| serve::store_status(&error))?;
        let all = store
            .consents(&tenant, &customer_id)
            .await
            .map_err(|error| serve::store_status(&error))?;
        let size = usize::try_from(size).unwrap_or_default();
        let has_more = page.len() > size;
        page.truncate(size);
        let next_page_token = match page.last().filter(|_| has_more) {
            Some((id, record)) => {
                listing.token(&format!("{} {id}", record.received_at.timestamp_micros()))
            }
            None => String::new(),
        };
        let consents = page.into_iter().map(|(_, record)| {
            let is_effective = is_effective(&record, &all, &configuration.channels);
            let named =
                configuration.channels.iter().find(|channel| channel.id == record.channel_id);
            let channel =
                named.map_or_else(|| record.channel_folded.clone(), |channel| channel.name.clone());
            printed(customer_id.clone(), channel, record, is_effective)
        });
        Ok(Response::new(proto::ExportConsentProofResponse {
            consents: consents.collect(),
            next_page_token,
        }))
    }
}
