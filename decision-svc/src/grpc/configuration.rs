//! ConfigurationService: lists broken references in the configuration of all services, lists the
//! history of writes, and verifies the logs.

use history::{Directory, Follower, Heard, Listing};
use proffer_proto::decision::v1::{
    self as proto, configuration_service_server::ConfigurationService,
};
use serve::metadata;
use tonic::{Request, Response, Status};
use wire::name::Hints;

use super::Context;
use crate::{deciding::audit::Audit, domain::problem::Problem};

/// The configuration of all services.
pub struct Configuration(pub Context);

#[tonic::async_trait]
impl ConfigurationService for Configuration {
    async fn list_configuration_problems(
        &self,
        request: Request<proto::ListConfigurationProblemsRequest>,
    ) -> Result<Response<proto::ListConfigurationProblemsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let listing = Listing::new(&["configuration problems"]);
        let asked = listing.page(request.page_size, &request.page_token);
        let (size, after) = asked.map_err(serve::Problem::invalid_fields)?;
        let heard = self.0.known.names.all_now(&tenant).await;
        let unanswered = heard.iter().filter(|(_, heard)| !heard.is_current);
        let unanswered = unanswered.map(|(follower, _)| follower.service().to_owned()).collect();
        let problems = problems(&heard);
        let size = usize::try_from(size).unwrap_or_default();
        let mut rest = problems.into_iter().filter(|problem| key(problem) > after);
        let found: Vec<_> = rest.by_ref().take(size).collect();
        let next_page_token = match (rest.next(), found.last()) {
            (Some(_), Some(last)) => listing.token(&key(last)),
            _ => String::new(),
        };
        let mut hints = Hints::default();
        let problems = found.into_iter().map(|mut problem| {
            let is_unbound = problem.deleted_id.is_empty();
            if let Some(owner) = owner(&heard, &problem.refers_to).filter(|_| is_unbound) {
                problem.hint = hints.hint(&problem.named, owner.names(&problem.refers_to));
            }
            printed(problem)
        });
        let problems = problems.collect();
        Ok(Response::new(proto::ListConfigurationProblemsResponse {
            problems,
            next_page_token,
            unanswered,
        }))
    }

    async fn list_history(
        &self,
        request: Request<proto::ListHistoryRequest>,
    ) -> Result<Response<proto::ListHistoryResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        Audit(&self.0.known.names).history(&tenant, request.into_inner()).await.map(Response::new)
    }

    async fn verify_logs(
        &self,
        request: Request<proto::VerifyLogsRequest>,
    ) -> Result<Response<proto::VerifyLogsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        Ok(Response::new(Audit(&self.0.known.names).verify(&tenant).await))
    }
}

/// The names of the log that holds this kind.
fn owner<'h>(heard: &'h [(&Follower, Heard)], kind: &str) -> Option<&'h Directory> {
    let found = heard.iter().find(|(follower, _)| follower.holds(kind));
    found.map(|(_, heard)| &*heard.directory)
}

/// Every problem in order, without hints.
fn problems(heard: &[(&Follower, Heard)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (kind, id, listed) in heard.iter().flat_map(|(_, heard)| heard.directory.all()) {
        for reference in &listed.references {
            let (refers_to, named) = (&reference.kind, &reference.named);
            let Some(owner) = owner(heard, refers_to) else { continue };
            let means = if reference.id.is_empty() { named } else { &reference.id };
            if owner.find(refers_to, means).is_some() {
                continue;
            }
            problems.push(Problem {
                kind: kind.to_owned(),
                id: id.to_owned(),
                name: listed.name.clone(),
                hint: String::new(),
                refers_to: refers_to.clone(),
                named: named.clone(),
                deleted_id: reference.id.clone(),
            });
        }
    }
    problems.sort_by_key(key);
    problems
}

/// Orders problems, and marks where a page ends.
fn key(problem: &Problem) -> String {
    let Problem { kind, id, refers_to, named, .. } = problem;
    format!("{kind}/{id}/{refers_to}/{named}")
}

fn printed(problem: Problem) -> proto::ConfigurationProblem {
    proto::ConfigurationProblem {
        message: problem.message(),
        kind: problem.kind,
        id: problem.id,
        name: problem.name,
        refers_to: problem.refers_to,
        named: problem.named,
        deleted_id: problem.deleted_id,
    }
}
