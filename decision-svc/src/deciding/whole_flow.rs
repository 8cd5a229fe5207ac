//! Flows with the weight profile and the model that they name. All three are in one log, so that
//! one revision names them all.

use std::sync::Arc;

use history::{AsOf, AtHead, Collection, History, HistoryError, Resource};
use proffer_proto::decision::v1::{self as proto, DecisionFlow};
use serve::Problem;
use tonic::Status;

use crate::{
    compiled_flows::FlowKey,
    domain::{
        effect::Effects,
        flow::Flow,
        score::ScoreMethod,
        snapshot::is_named,
        step::{DEFAULT_SCHEMA, Score, Step},
    },
    messages::{flow_config, is_active, model},
};

/// Most readings of flow and parts until nothing is written meanwhile.
const READINGS_MAX: usize = 8;

/// Known parts that an error lists.
const NAMES_MAX: usize = 10;

/// A flow with its parts.
#[derive(Debug)]
pub struct WholeFlow {
    /// The resource.
    pub resource: DecisionFlow,
    /// The flow.
    pub flow: Flow,
    /// The log as of this revision gives this flow with these parts.
    pub revision: i64,
}

/// The flows of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct WholeFlows {
    flows: Collection<DecisionFlow>,
    weight_profiles: Collection<proto::WeightProfile>,
    models: Collection<proto::Model>,
    history: History,
    /// Flows with their parts as last read.
    last_read: AtHead<WholeFlow>,
}

impl WholeFlows {
    /// The flows in a log.
    pub fn new(history: History) -> Self {
        Self {
            flows: Collection::new(history.clone()),
            weight_profiles: Collection::new(history.clone()),
            models: Collection::new(history.clone()),
            history,
            last_read: AtHead::default(),
        }
    }

    /// The flow of this id or name as it is now, when the log's head was `head` a moment ago. It is
    /// read again when that is not the head at which it was read last.
    pub async fn at(&self, tenant: &str, named: &str, head: i64) -> Result<Arc<WholeFlow>, Status> {
        if let Some(flow) = self.last_read.at(tenant, named, head) {
            return Ok(flow);
        }
        Ok(self.last_read.keep(tenant, named, head, self.now(tenant, named).await?))
    }

    async fn now(&self, tenant: &str, named: &str) -> Result<WholeFlow, Status> {
        let (resource, flow) = self.read(tenant, named).await?;
        if flow.part_names() == (None, None) {
            let revision = resource.revision;
            return Ok(WholeFlow { resource, flow, revision });
        }
        for _ in 0..READINGS_MAX {
            let before = self.history.head(tenant).await?;
            let (resource, mut flow) = self.read(tenant, named).await?;
            let parts = self.parts(tenant, &flow, None).await?;
            if self.history.head(tenant).await? == before {
                // What is missing leaves no revision of its own.
                let newest = parts.put_into(&mut flow);
                let revision = newest.map_or(before, |newest| newest.max(resource.revision));
                return Ok(WholeFlow { resource, flow, revision });
            }
        }
        Err(serve::unavailable("decision", &"the configuration is being written; try again"))
    }

    async fn read(&self, tenant: &str, named: &str) -> Result<(DecisionFlow, Flow), Status> {
        let resource = self.flows.get(tenant, named).await?;
        let flow = flow_config::parse(&resource).map_err(Problem::invalid_fields)?;
        Ok((resource, flow))
    }

    /// Id of the flow of this id or name, if there is one.
    pub async fn id_of(&self, tenant: &str, named: &str) -> Option<String> {
        self.flows.find(tenant, named).await.ok().flatten().map(|flow| flow.id)
    }

    /// Id of the flow that past decisions are asked about: of this id or name, or the id of one
    /// that was deleted. NOT_FOUND names a near one.
    pub async fn past_id(&self, tenant: &str, named: &str) -> Result<String, Status> {
        let unknown = match self.flows.get(tenant, named).await {
            Ok(flow) => return Ok(flow.id),
            Err(HistoryError::NotFound { kind, id, hint }) if history::is_id(named.trim()) => {
                HistoryError::NotFound { kind, id, hint }
            }
            Err(error) => return Err(error.into()),
        };
        let id = named.trim();
        let past = self.history.past(tenant, DecisionFlow::KIND, id, i64::MAX, 1).await?;
        if past.is_empty() { Err(unknown.into()) } else { Ok(id.to_owned()) }
    }

    /// The schema of the customers of a flow.
    pub async fn schema(&self, tenant: &str, flow_id: &str) -> String {
        let flow = self.read(tenant, flow_id).await.ok();
        flow.as_ref().map_or(DEFAULT_SCHEMA, |(_, flow)| flow.schema()).to_owned()
    }

    /// A flow with its parts as of a moment of the past.
    pub async fn as_of(
        &self,
        tenant: &str,
        named: &str,
        moment: AsOf,
    ) -> Result<Option<WholeFlow>, Status> {
        let resource = match moment {
            AsOf::Revision(_) => self.flows.get_as_of(tenant, named, moment).await?,
            AsOf::Time(_) => found(&self.flows, tenant, Some(named), Some(moment)).await?,
        };
        let Some(resource) = resource else { return Ok(None) };
        let mut flow = flow_config::parse(&resource).map_err(Problem::invalid_fields)?;
        let mut revision = resource.revision;
        if flow.part_names() != (None, None) {
            let newest = self.parts(tenant, &flow, Some(moment)).await?.put_into(&mut flow);
            revision = match (newest, moment) {
                (Some(newest), _) => newest.max(revision),
                (None, AsOf::Revision(revision)) => revision,
                (None, AsOf::Time(at)) => self.history.revision_at(tenant, at).await?,
            };
        }
        Ok(Some(WholeFlow { resource, flow, revision }))
    }

    /// A sentence for each flow that names this weight profile or model, which now `fate`.
    pub async fn users_of<R: Resource>(
        &self,
        tenant: &str,
        part: &R,
        fate: &str,
    ) -> Result<Vec<String>, Status> {
        let (kind, named) = (R::KIND.replace('_', " "), part.name());
        let users = self.naming(tenant, part).await?.into_iter();
        let sentence = |(resource, _): (DecisionFlow, Flow)| {
            format!("decision flow `{}` uses {kind} `{named}`, which {fate}", resource.id)
        };
        Ok(users.map(sentence).collect())
    }

    /// The flows that name this weight profile or model. One that cannot be read decides nothing.
    async fn naming<R: Resource>(
        &self,
        tenant: &str,
        part: &R,
    ) -> Result<Vec<(DecisionFlow, Flow)>, HistoryError> {
        let mut naming = Vec::new();
        for resource in self.flows.all(tenant).await? {
            let Ok(flow) = flow_config::parse(&resource) else { continue };
            let (profile, model) = flow.part_names();
            let named = match R::KIND {
                proto::WeightProfile::KIND => profile,
                _ => model,
            };
            if named.is_some_and(|named| is_named(named, part.id(), part.name())) {
                naming.push((resource, flow));
            }
        }
        Ok(naming)
    }

    async fn parts(
        &self,
        tenant: &str,
        flow: &Flow,
        moment: Option<AsOf>,
    ) -> Result<Parts, HistoryError> {
        let (profile, model) = flow.part_names();
        Ok(Parts {
            profile: found(&self.weight_profiles, tenant, profile, moment).await?,
            model: found(&self.models, tenant, model, moment).await?,
        })
    }

    /// The flow with the weight profile and the model that it names, as far as they exist.
    pub async fn with_parts(&self, tenant: &str, mut flow: Flow) -> Result<Flow, HistoryError> {
        self.parts(tenant, &flow, None).await?.put_into(&mut flow);
        Ok(flow)
    }

    /// The active flows that name a model, each with its id, as they score by `model`.
    pub async fn scored_by(
        &self,
        tenant: &str,
        model: &proto::Model,
    ) -> Result<Vec<(String, Flow)>, HistoryError> {
        let mut scored = Vec::new();
        for (resource, mut flow) in self.naming(tenant, model).await? {
            if is_active(resource.status) {
                let mut parts = self.parts(tenant, &flow, None).await?;
                parts.model = Some(model.clone());
                parts.put_into(&mut flow);
                scored.push((resource.id, flow));
            }
        }
        Ok(scored)
    }

    /// Faults of a flow that names a weight profile or model that does not exist.
    pub async fn missing_parts(
        &self,
        tenant: &str,
        flow: &Flow,
    ) -> Result<Vec<(String, String)>, HistoryError> {
        let parts = self.parts(tenant, flow, None).await?;
        let mut faults = Vec::new();
        for (index, node) in flow.nodes.iter().enumerate() {
            let (field, kind, reference, known) = match &node.step {
                Step::Optimize(profile) if parts.profile.is_none() => {
                    let known = names(&self.weight_profiles, tenant).await?;
                    ("config.profile", "weight profile", &profile.reference, known)
                }
                Step::Score(Score { method: ScoreMethod::Model(model), .. })
                    if parts.model.is_none() =>
                {
                    ("config.model", "model", &model.reference, names(&self.models, tenant).await?)
                }
                _ => continue,
            };
            let message = format!("node `{}`: {kind} `{reference}` not found; {known}", node.id);
            faults.push((flow_config::path_of(Some(index), field), message));
        }
        Ok(faults)
    }
}

impl WholeFlow {
    /// Its key among compiled flows, with these effect models.
    pub fn key<'a>(&'a self, tenant: &'a str, effects: &'a Arc<Effects>) -> FlowKey<'a> {
        let DecisionFlow { id, name, .. } = &self.resource;
        FlowKey { tenant, id, name, revision: self.revision, effects }
    }

    /// Refuses a flow that is not active.
    pub fn require_active(&self) -> Result<(), Problem> {
        let flow = &self.resource;
        if is_active(flow.status) {
            return Ok(());
        }
        let status = flow.status().as_str_name();
        let status = status.trim_start_matches("RESOURCE_STATUS_").to_lowercase();
        let message = format!("decision flow `{}` is {status}; only active flows decide", flow.id);
        Err(Problem::wrong_state(&flow.id, &status, message))
    }
}

/// Profile and model of a flow, as far as they exist.
struct Parts {
    profile: Option<proto::WeightProfile>,
    model: Option<proto::Model>,
}

impl Parts {
    /// Puts them into the flow; the newest revision among them, or none when something is missing.
    fn put_into(&self, flow: &mut Flow) -> Option<i64> {
        let (mut newest, mut is_whole) = (0, true);
        for node in &mut flow.nodes {
            match &mut node.step {
                Step::Optimize(profile) => match &self.profile {
                    Some(found) => {
                        newest = newest.max(found.revision);
                        let weights = found.weights.as_ref().map(flow_config::weights);
                        profile.found =
                            is_active(found.status).then(|| weights.unwrap_or_default());
                    }
                    None => is_whole = false,
                },
                Step::Score(Score { method: ScoreMethod::Model(model), .. }) => match &self.model {
                    Some(found) => {
                        newest = newest.max(found.revision);
                        model.found = model::found(found).filter(|_| is_active(found.status));
                    }
                    None => is_whole = false,
                },
                _ => {}
            }
        }
        is_whole.then_some(newest)
    }
}

/// The resource of this id or name, now or at a moment.
async fn found<R: Resource>(
    collection: &Collection<R>,
    tenant: &str,
    named: Option<&str>,
    moment: Option<AsOf>,
) -> Result<Option<R>, HistoryError> {
    let Some(named) = named else { return Ok(None) };
    let Some(moment) = moment else {
        return collection.find(tenant, named).await;
    };
    let all = collection.all_as_of(tenant, moment).await?;
    let by_id = all.iter().find(|found| found.id() == named);
    Ok(by_id
        .or_else(|| all.iter().find(|found| is_named(named, found.id(), found.name())))
        .cloned())
}

/// The names there are, for an error.
async fn names<R: Resource>(
    collection: &Collection<R>,
    tenant: &str,
) -> Result<String, HistoryError> {
    let (found, has_more) = collection.page(tenant, "", NAMES_MAX).await?;
    let names: Vec<_> = found.iter().map(|found| format!("`{}`", found.name())).collect();
    Ok(match names.as_slice() {
        [] => "there is none yet".to_owned(),
        names if !has_more => format!("there are {}", names.join(", ")),
        names => format!("there are {} and more", names.join(", ")),
    })
}
