//! Scripted neighbours that remember what they were asked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use decision_svc::neighbours::Neighbours;
use futures::stream::{self, BoxStream, StreamExt as _};
use proffer_proto::{
    catalog::v1::{self as catalog, lookup_service_server as lookup},
    experiment::v1::{self as experiment, ledger_service_server as ledger},
    policy::v1::{
        self as policy, channel_service_server as channels, contact_gate_service_server as gate,
    },
    values::v1::{ConfigurationChange, Value, value::Kind},
};
use prost::Message as _;
use serve::{Limits, Listener, Shutdown};
use tokio::sync::watch;
use tonic::{Request, Response, Status, service::Routes};

use super::script::Script;

/// Customers a batched lookup answers at most.
const LOOKUPS_ANSWERED: usize = 5;

/// The fakes and the script they follow.
#[derive(Clone)]
pub struct Fakes {
    pub script: Arc<Mutex<Script>>,
    catalog: watch::Sender<Vec<ConfigurationChange>>,
    policy: watch::Sender<Vec<ConfigurationChange>>,
    experiment: watch::Sender<Vec<ConfigurationChange>>,
    /// Counts what was delivered to either.
    pub delivered: watch::Sender<usize>,
    /// Reserve answers only while this is true.
    pub gate_open: watch::Sender<bool>,
    /// Counts calls of Reserve that have begun.
    pub reserving: watch::Sender<usize>,
    /// After this silence of experiment-svc, which sends no heartbeat here, decisions are degraded.
    pub experiments_silence_max: Duration,
}

impl Fakes {
    pub fn new() -> Self {
        let log = || watch::Sender::new(Vec::new());
        Self {
            script: Arc::default(),
            catalog: log(),
            policy: log(),
            experiment: log(),
            delivered: watch::Sender::new(0),
            gate_open: watch::Sender::new(true),
            reserving: watch::Sender::new(0),
            experiments_silence_max: Duration::MAX,
        }
    }

    /// Over a socket.
    pub async fn far_neighbours(&self) -> Neighbours {
        let routes = Routes::new(lookup::LookupServiceServer::new(self.clone()))
            .add_service(gate::ContactGateServiceServer::new(self.clone()))
            .add_service(channels::ChannelServiceServer::new(self.clone()))
            .add_service(ledger::LedgerServiceServer::new(self.clone()));
        let listener =
            Listener::bind("127.0.0.1:0".parse().unwrap(), Limits::default()).await.unwrap();
        let url = format!("http://{}", listener.address().unwrap());
        tokio::spawn(listener.serve(routes, Shutdown::new()));
        Neighbours::remote(&url, &url, &url).unwrap()
    }

    /// In place.
    pub fn neighbours(&self) -> Neighbours {
        let fakes = Arc::new(self.clone());
        Neighbours {
            catalog: fakes.clone(),
            gate: fakes.clone(),
            channels: fakes.clone(),
            experiment: fakes,
        }
    }

    pub fn write_catalog(&self, kind: &str, id: &str, name: &str, resource: Vec<u8>) -> i64 {
        write(&self.catalog, kind, id, name, resource)
    }

    pub fn write_policy(&self, kind: &str, id: &str, name: &str, resource: Vec<u8>) -> i64 {
        write(&self.policy, kind, id, name, resource)
    }

    /// What the three neighbours have written.
    pub fn logs(&self) -> [watch::Sender<Vec<ConfigurationChange>>; 3] {
        [self.catalog.clone(), self.policy.clone(), self.experiment.clone()]
    }

    /// As in the log of experiment-svc, which stores a resource without its id.
    pub fn write_experiment(&self, found: &experiment::Experiment) -> i64 {
        let stored = experiment::Experiment { id: String::new(), ..found.clone() };
        write(&self.experiment, "experiment", &found.id, &found.name, stored.encode_to_vec())
    }

    /// The same.
    pub fn write_effect_model(&self, found: &experiment::EffectModel) -> i64 {
        let stored = experiment::EffectModel { id: String::new(), ..found.clone() };
        write(&self.experiment, "effect_model", &found.id, &found.name, stored.encode_to_vec())
    }

    pub fn put_record(&self, customer_id: &str, fields: &[(&str, Kind)]) {
        let value = |kind: &Kind| Value { kind: Some(kind.clone()) };
        let fields = fields.iter().map(|(name, kind)| ((*name).to_owned(), value(kind))).collect();
        self.script.lock().unwrap().records.insert(customer_id.to_owned(), fields);
    }

    /// How many streams follow the catalog.
    pub fn catalog_streams(&self) -> usize {
        self.catalog.receiver_count()
    }

    /// Returns once `count` outcomes or entries have been delivered.
    pub async fn delivered(&self, count: usize) {
        self.delivered.subscribe().wait_for(|seen| *seen >= count).await.unwrap();
    }
}

fn write(
    log: &watch::Sender<Vec<ConfigurationChange>>,
    kind: &str,
    id: &str,
    name: &str,
    resource: Vec<u8>,
) -> i64 {
    let mut head = 0;
    log.send_modify(|log| {
        head = log.len() as i64 + 1;
        let (kind, id, name) = (kind.to_owned(), id.to_owned(), name.to_owned());
        log.push(ConfigurationChange {
            revision: head,
            kind,
            id,
            deleted: resource.is_empty(),
            resource,
            name,
            written_us: 0,
        });
    });
    head
}

type Page = (Vec<ConfigurationChange>, i64);

/// The log from `after` on, for ever; the first page comes at once.
fn watching(log: &watch::Sender<Vec<ConfigurationChange>>, after: i64) -> BoxStream<'static, Page> {
    let reader = log.subscribe();
    stream::unfold((reader, after as usize, true), |(mut reader, known, is_first)| async move {
        let log = reader.wait_for(|log| is_first || log.len() > known).await.ok()?.clone();
        let page = (log[known.min(log.len())..].to_vec(), log.len() as i64);
        Some((page, (reader, log.len(), false)))
    })
    .boxed()
}

#[tonic::async_trait]
impl lookup::LookupService for Fakes {
    type WatchCatalogStream = BoxStream<'static, Result<catalog::WatchCatalogResponse, Status>>;

    async fn lookup_customer(
        &self,
        request: Request<catalog::LookupCustomerRequest>,
    ) -> Result<Response<catalog::LookupCustomerResponse>, Status> {
        let script = self.script.lock().unwrap();
        if script.catalog_away {
            return Err(Status::unavailable("away"));
        }
        let customer_id = request.into_inner().customer_id;
        let record = script.records.get(&customer_id).map(|fields| catalog::CustomerRecord {
            customer_id,
            fields: fields.clone(),
            ..Default::default()
        });
        let head_revision = self.catalog.borrow().len() as i64;
        Ok(Response::new(catalog::LookupCustomerResponse { record, head_revision }))
    }

    async fn batch_lookup_customers(
        &self,
        request: Request<catalog::BatchLookupCustomersRequest>,
    ) -> Result<Response<catalog::BatchLookupCustomersResponse>, Status> {
        let asked = request.into_inner().customers;
        self.script.lock().unwrap().lookups.push(asked.len());
        let mut answer = catalog::BatchLookupCustomersResponse::default();
        // Never all at once: the caller must ask again for the rest.
        for request in asked.into_iter().take(LOOKUPS_ANSWERED) {
            let found = lookup::LookupService::lookup_customer(self, Request::new(request))
                .await?
                .into_inner();
            answer.head_revision = found.head_revision;
            answer.customers.push(catalog::CustomerLookup { record: found.record });
        }
        Ok(Response::new(answer))
    }

    async fn watch_catalog(
        &self,
        request: Request<catalog::WatchCatalogRequest>,
    ) -> Result<Response<Self::WatchCatalogStream>, Status> {
        let pages = watching(&self.catalog, request.into_inner().after_revision);
        let pages = pages.map(|(changes, head_revision)| {
            Ok(catalog::WatchCatalogResponse { changes, head_revision })
        });
        Ok(Response::new(pages.boxed()))
    }
}

impl Fakes {
    fn policy_head(&self, script: &Script) -> i64 {
        self.policy.borrow().len() as i64 + script.policy_unseen
    }

    /// What policy-svc answers to a caller that planned with older configuration.
    fn refuse_older(
        &self,
        script: &Script,
        question: Option<&policy::ContactQuestion>,
    ) -> Result<(), Status> {
        let head = self.policy_head(script);
        match question.and_then(|question| question.policy_revision) {
            Some(revision) if revision < head => Err(Status::aborted("newer")),
            _ => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl gate::ContactGateService for Fakes {
    type WatchPolicyStream = BoxStream<'static, Result<policy::WatchPolicyResponse, Status>>;

    async fn reserve(
        &self,
        request: Request<policy::ReserveRequest>,
    ) -> Result<Response<policy::ReserveResponse>, Status> {
        self.reserving.send_modify(|count| *count += 1);
        self.gate_open.subscribe().wait_for(|is_open| *is_open).await.unwrap();
        let request = request.into_inner();
        let mut script = self.script.lock().unwrap();
        if script.policy_away {
            return Err(Status::unavailable("away"));
        }
        script.reserves.push(request.clone());
        self.refuse_older(&script, request.question.as_ref())?;
        let id =
            if request.request_id.is_empty() { &request.decision_id } else { &request.request_id };
        let key = format!("{} {id}", request.question.as_ref().unwrap().customer_id);
        if let Some(first) = script.grants.get(&key) {
            return Ok(Response::new(first.clone()));
        }
        let judgment = script.judgment(request.question.as_ref());
        let is_passed =
            |verdict: &&policy::Verdict| judgment.refusal.is_none() && verdict.refusal.is_none();
        let passed = judgment.verdicts.iter().filter(is_passed);
        let grants = passed
            .take(request.limit as usize)
            .zip(1..)
            .map(|(verdict, rank)| policy::Grant {
                offer_id: verdict.offer_id.clone(),
                rank,
                reserved_until: Some(prost_types::Timestamp { seconds: 2_000_000_000, nanos: 0 }),
            })
            .collect();
        let decision_id = request.decision_id.clone();
        let answer = policy::ReserveResponse { judgment: Some(judgment), grants, decision_id };
        script.grants.insert(key, answer.clone());
        if script.answers_lost {
            return Err(Status::unavailable("the answer was lost"));
        }
        Ok(Response::new(answer))
    }

    async fn batch_reserve(
        &self,
        request: Request<policy::BatchReserveRequest>,
    ) -> Result<Response<policy::BatchReserveResponse>, Status> {
        use policy::{gate_answer::Kind as Answer, gate_question::Kind as Question};
        let questions = request.into_inner().questions;
        self.script.lock().unwrap().batches.push(questions.len());
        let mut answers = Vec::new();
        for question in questions {
            let answered = match question.kind.unwrap() {
                Question::Reserve(asked) => {
                    let answered =
                        gate::ContactGateService::reserve(self, Request::new(asked)).await;
                    answered.map(|answer| Answer::Reserve(answer.into_inner()))
                }
                Question::Check(asked) => {
                    let answered = gate::ContactGateService::check(self, Request::new(asked)).await;
                    answered.map(|answer| Answer::Check(answer.into_inner()))
                }
            };
            let fault = |status: Status| {
                Answer::Fault(policy::GateFault {
                    code: status.code().into(),
                    message: status.message().to_owned(),
                    details: status.details().to_vec(),
                })
            };
            answers.push(policy::GateAnswer { kind: Some(answered.unwrap_or_else(fault)) });
        }
        Ok(Response::new(policy::BatchReserveResponse { answers }))
    }

    async fn check(
        &self,
        request: Request<policy::CheckRequest>,
    ) -> Result<Response<policy::CheckResponse>, Status> {
        let request = request.into_inner();
        let mut script = self.script.lock().unwrap();
        if script.policy_away {
            return Err(Status::unavailable("away"));
        }
        script.checks.push(request.clone());
        self.refuse_older(&script, request.question.as_ref())?;
        let judgment = Some(script.judgment(request.question.as_ref()));
        Ok(Response::new(policy::CheckResponse { judgment }))
    }

    async fn evaluate_facts(
        &self,
        request: Request<policy::EvaluateFactsRequest>,
    ) -> Result<Response<policy::EvaluateFactsResponse>, Status> {
        let request = request.into_inner();
        let judgment = Some(self.script.lock().unwrap().judgment(request.question.as_ref()));
        Ok(Response::new(policy::EvaluateFactsResponse { judgment, granted: Vec::new() }))
    }

    async fn commit_contact(
        &self,
        request: Request<policy::CommitContactRequest>,
    ) -> Result<Response<policy::CommitContactResponse>, Status> {
        let mut script = self.script.lock().unwrap();
        if script.policy_away {
            return Err(Status::unavailable("away"));
        }
        let request = request.into_inner();
        let refusal = script.refusal.clone();
        let contact_id = format!("con_{}", request.decision_id);
        script.commits.push(request);
        Ok(Response::new(policy::CommitContactResponse {
            go: refusal.is_none(),
            contact_id,
            refusal,
        }))
    }

    async fn release_contact(
        &self,
        request: Request<policy::ReleaseContactRequest>,
    ) -> Result<Response<policy::ReleaseContactResponse>, Status> {
        self.script.lock().unwrap().releases.push(request.into_inner());
        Ok(Response::new(policy::ReleaseContactResponse { released: 1 }))
    }

    async fn deliver_outcomes(
        &self,
        request: Request<policy::DeliverOutcomesRequest>,
    ) -> Result<Response<policy::DeliverOutcomesResponse>, Status> {
        let outcomes = request.into_inner().outcomes;
        let mut script = self.script.lock().unwrap();
        if script.policy_away || script.deliveries_away {
            return Err(Status::unavailable("away"));
        }
        if outcomes.iter().any(|outcome| Some(&outcome.key) == script.refused_key.as_ref()) {
            script.refusals += 1;
            return Err(Status::invalid_argument("no"));
        }
        let count = outcomes.len();
        script.outcomes.extend(outcomes);
        drop(script);
        self.delivered.send_modify(|seen| *seen += count);
        Ok(Response::new(policy::DeliverOutcomesResponse {}))
    }

    async fn get_policy_head(
        &self,
        _: Request<policy::GetPolicyHeadRequest>,
    ) -> Result<Response<policy::GetPolicyHeadResponse>, Status> {
        if self.script.lock().unwrap().policy_away {
            return Err(Status::unavailable("away"));
        }
        let head_revision = self.policy_head(&self.script.lock().unwrap());
        Ok(Response::new(policy::GetPolicyHeadResponse { head_revision }))
    }

    async fn watch_policy(
        &self,
        request: Request<policy::WatchPolicyRequest>,
    ) -> Result<Response<Self::WatchPolicyStream>, Status> {
        let pages = watching(&self.policy, request.into_inner().after_revision);
        let pages = pages.map(|(changes, head_revision)| {
            Ok(policy::WatchPolicyResponse { changes, head_revision })
        });
        Ok(Response::new(pages.boxed()))
    }
}

/// Only asked whether a channel exists.
#[tonic::async_trait]
impl channels::ChannelService for Fakes {
    async fn get_channel(
        &self,
        request: Request<policy::GetChannelRequest>,
    ) -> Result<Response<policy::GetChannelResponse>, Status> {
        if self.script.lock().unwrap().policy_away {
            return Err(Status::unavailable("away"));
        }
        let id = request.into_inner().id;
        if self.policy.borrow().iter().any(|change| change.id == id || change.name == id) {
            return Ok(Response::new(policy::GetChannelResponse::default()));
        }
        Err(serve::Problem::not_found("channel", &id).into())
    }

    async fn create_channel(
        &self,
        _: Request<policy::CreateChannelRequest>,
    ) -> Result<Response<policy::CreateChannelResponse>, Status> {
        Err(Status::unimplemented("fake"))
    }

    async fn list_channels(
        &self,
        _: Request<policy::ListChannelsRequest>,
    ) -> Result<Response<policy::ListChannelsResponse>, Status> {
        Err(Status::unimplemented("fake"))
    }

    async fn update_channel(
        &self,
        _: Request<policy::UpdateChannelRequest>,
    ) -> Result<Response<policy::UpdateChannelResponse>, Status> {
        Err(Status::unimplemented("fake"))
    }

    async fn delete_channel(
        &self,
        _: Request<policy::DeleteChannelRequest>,
    ) -> Result<Response<policy::DeleteChannelResponse>, Status> {
        Err(Status::unimplemented("fake"))
    }
}

#[tonic::async_trait]
impl ledger::LedgerService for Fakes {
    type WatchExperimentsStream =
        BoxStream<'static, Result<experiment::WatchExperimentsResponse, Status>>;

    async fn deliver_entries(
        &self,
        request: Request<experiment::DeliverEntriesRequest>,
    ) -> Result<Response<experiment::DeliverEntriesResponse>, Status> {
        let request = request.into_inner();
        let count = request.entries.len();
        let mut script = self.script.lock().unwrap();
        script.entries.extend(request.entries);
        let through = request.counted_through.unwrap_or_default();
        script.counted_through = through.seconds * 1_000_000 + i64::from(through.nanos) / 1_000;
        drop(script);
        self.delivered.send_modify(|seen| *seen += count);
        Ok(Response::new(experiment::DeliverEntriesResponse {}))
    }

    async fn watch_experiments(
        &self,
        request: Request<experiment::WatchExperimentsRequest>,
    ) -> Result<Response<Self::WatchExperimentsStream>, Status> {
        let pages = watching(&self.experiment, request.into_inner().after_revision);
        let pages = pages.map(|(changes, head_revision)| {
            Ok(experiment::WatchExperimentsResponse { changes, head_revision })
        });
        Ok(Response::new(pages.boxed()))
    }
}
