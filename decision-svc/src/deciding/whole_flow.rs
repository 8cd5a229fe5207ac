//! What a flow names and does not hold itself: weight profile and model. They stand in the same
//! log, so that one revision names them all.

use std::sync::Arc;

use history::{AsOf, Collection, HistoryError, Resource};
use proffer_proto::decision::v1::{self as proto, DecisionFlow};
use serve::Problem;
use tonic::Status;

use super::{Context, flow_config, model, weight_profile};
use crate::{
    domain::{
        flow::{Flow, ScoreMethod, Step},
        snapshot::is_named,
    },
    neighbours::catalog::is_active,
};

/// Most readings of flow and parts until nothing is written meanwhile.
const READINGS_MAX: usize = 8;

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

impl Context {
    /// The flow of this id or name as it is now, when the log's head was `head` a moment ago. It is
    /// read again when that is not the head at which it was read last.
    pub(super) async fn whole_flow_at(
        &self,
        tenant: &str,
        named: &str,
        head: i64,
    ) -> Result<Arc<WholeFlow>, Status> {
        if let Some(flow) = self.whole_flows.at(tenant, named, head) {
            return Ok(flow);
        }
        Ok(self.whole_flows.keep(tenant, named, head, self.whole_flow(tenant, named).await?))
    }

    async fn whole_flow(&self, tenant: &str, named: &str) -> Result<WholeFlow, Status> {
        let resource = self.flows.get(tenant, named).await?;
        let flow = flow_config::parse(&resource).map_err(Problem::invalid_fields)?;
        if flow.part_names() == (None, None) {
            let revision = resource.revision;
            return Ok(WholeFlow { resource, flow, revision });
        }
        for _ in 0..READINGS_MAX {
            let before = self.history.head(tenant).await?;
            let resource = self.flows.get(tenant, named).await?;
            let mut flow = flow_config::parse(&resource).map_err(Problem::invalid_fields)?;
            let parts = self.parts(tenant, &flow, None).await?;
            if self.history.head(tenant).await? == before {
                // What is missing leaves no revision of its own.
                let revision = parts
                    .put_into(&mut flow)
                    .map_or(before, |newest| newest.max(resource.revision));
                return Ok(WholeFlow { resource, flow, revision });
            }
        }
        Err(serve::unavailable("decision", &"the configuration is being written; try again"))
    }

    /// A flow of the past with its parts as they were.
    pub(super) async fn whole_flow_then(
        &self,
        tenant: &str,
        resource: DecisionFlow,
        moment: AsOf,
    ) -> Result<WholeFlow, Status> {
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
        Ok(WholeFlow { resource, flow, revision })
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

    /// Faults of a flow that names what nobody created.
    pub(super) async fn missing_parts(
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
                Step::Score(ScoreMethod::Model(model)) if parts.model.is_none() => {
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

/// Profile and model of a flow, as far as they are there.
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
                        profile.found =
                            is_active(found.status).then(|| weight_profile::weights(found));
                    }
                    None => is_whole = false,
                },
                Step::Score(ScoreMethod::Model(model)) => match &self.model {
                    Some(found) => {
                        newest = newest.max(found.revision);
                        model.found = is_active(found.status).then(|| model::found(found));
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
        return match collection.get(tenant, named).await {
            Ok(found) => Ok(Some(found)),
            Err(HistoryError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        };
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
    let page = collection.list(tenant, 10, "").await?;
    let names: Vec<_> = page.items.iter().map(|found| format!("`{}`", found.name())).collect();
    Ok(match names.as_slice() {
        [] => "there is none yet".to_owned(),
        names if page.next.is_empty() => format!("there are {}", names.join(", ")),
        names => format!("there are {} and more", names.join(", ")),
    })
}
