//! Reads and checks the logs of all services: this service follows each of them.

use std::{error::Error as _, sync::Arc, time::Duration};

use futures::future::join_all;
use history::{Follower, Listing, Log, Names};
use proffer_proto::{
    decision::v1::{ListHistoryRequest, ListHistoryResponse, LogVerification, VerifyLogsResponse},
    resource::{KINDS, Known},
    values::v1::{ReadHistoryRequest, ReadHistoryResponse, VerifyRequest},
};
use serve::{Problem, metadata};
use tonic::{Code, Response, Status};

use crate::messages::history::entries;

/// Longest wait for a service that reads its log.
const READ_MAX: Duration = Duration::from_secs(5);
/// Longest wait for a service that checks its log, below the gateway's time limit of 30 s.
const VERIFY_MAX: Duration = Duration::from_secs(25);

/// The logs of all services.
#[derive(Clone, Copy, Debug)]
pub struct Audit<'a>(pub &'a Names);

impl Audit<'_> {
    /// A page of what was written of one resource.
    pub async fn history(
        &self,
        tenant: &str,
        request: ListHistoryRequest,
    ) -> Result<ListHistoryResponse, Status> {
        let ListHistoryRequest { collection, id: named, page_size, page_token } = request;
        let known = of_collection(&collection)?;
        let listing = Listing::new(&["history", &collection, &named]);
        let page = listing.page(page_size, &page_token).map_err(Problem::invalid_fields)?;
        let (limit, before_revision) = (page.0, before(&page.1)?);
        let (kind, named) = (known.kind.to_owned(), named.trim().to_owned());
        let asked = ReadHistoryRequest { kind, named, before_revision, limit };
        let ReadHistoryResponse { id, entries: found, before } =
            self.read(tenant, &known.service(), asked).await?;
        let next_page_token = match (&before, found.last().and_then(|last| last.change.as_ref())) {
            (Some(_), Some(last)) => listing.token(&last.revision.to_string()),
            _ => String::new(),
        };
        let entries = entries(known, &found, before.as_ref())?;
        Ok(ListHistoryResponse { entries, next_page_token, kind: known.kind.to_owned(), id })
    }

    async fn read(
        &self,
        tenant: &str,
        service: &str,
        asked: ReadHistoryRequest,
    ) -> Result<ReadHistoryResponse, Status> {
        let owner = self.0.followers().iter().find(|follower| follower.service() == service);
        let request = metadata::request(tenant, asked);
        let asked = async { connected(owner)?.read_history(request).await };
        answered(READ_MAX, asked).await.map_err(|status| serve::unavailable(service, &status))?
    }

    /// Checks every log at the same time.
    pub async fn verify(&self, tenant: &str) -> VerifyLogsResponse {
        let asked = self.0.followers().iter().map(async |follower| {
            let mut request = metadata::request(tenant, VerifyRequest {});
            request.set_timeout(VERIFY_MAX);
            let asked = async { connected(Some(follower))?.verify(request).await };
            let found = answered(VERIFY_MAX, asked).await.and_then(|found| found);
            (follower.service().to_owned(), found)
        });
        let (mut services, mut unanswered) = (Vec::new(), Vec::new());
        for (service, found) in join_all(asked).await {
            match found {
                Ok(found) => services.push(LogVerification {
                    service,
                    entries: found.entries,
                    valid: found.first_bad.is_none(),
                    first_bad: found.first_bad,
                    fault: found.fault,
                    head: hex::encode(found.head),
                }),
                Err(status) => {
                    tracing::warn!(service, %status, "log not checked");
                    unanswered.push(service);
                }
            }
        }
        services.sort_by(|one, other| one.service.cmp(&other.service));
        unanswered.sort();
        let valid = unanswered.is_empty() && services.iter().all(|checked| checked.valid);
        VerifyLogsResponse { valid, services, unanswered }
    }
}

fn connected(follower: Option<&Follower>) -> Result<Arc<Log>, Status> {
    let log = follower.and_then(Follower::log).cloned();
    log.ok_or_else(|| Status::unavailable("not connected"))
}

/// What the owner of a log answers; the outer error says that it does not.
async fn answered<T>(
    wait_max: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<Result<T, Status>, Status> {
    match tokio::time::timeout(wait_max, call).await {
        Ok(Ok(answer)) => Ok(Ok(answer.into_inner())),
        // A status with a source was made here, because the connection failed.
        Ok(Err(status)) if status.source().is_some() || is_absence(status.code()) => Err(status),
        Ok(Err(status)) => Ok(Err(status)),
        Err(_) => Err(Status::unavailable("no answer in time")),
    }
}

fn is_absence(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
}

/// The kind of resource that a collection holds.
fn of_collection(collection: &str) -> Result<&'static Known, Status> {
    let found = KINDS.iter().find(|known| known.collection == collection);
    found.ok_or_else(|| {
        let collections = KINDS.iter().map(|known| known.collection);
        let hint = match formula::nearest(collection, collections.clone()) {
            Some(near) => format!("; did you mean `{near}`? Known are "),
            None => "; known are ".to_owned(),
        };
        let known: Vec<_> = collections.collect();
        let shown = wire::text::quoted(collection);
        Problem::not_found("collection", &shown).hint(&hint).hint(&known.join(", ")).into()
    })
}

/// The revision before which a page begins; 0 for the first page.
fn before(key: &str) -> Result<i64, Status> {
    let wrong = || Problem::invalid_field("page_token", "is not a token of an earlier page");
    if key.is_empty() { Ok(0) } else { Ok(key.parse().map_err(|_| wrong())?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_collection_is_answered_with_the_nearest_and_all_known_ones() {
        let message = |given: &str| of_collection(given).unwrap_err().message().to_owned();
        let near = message("contact-polices");
        let start =
            "collection `contact-polices` not found; did you mean `contact-policies`? Known";
        assert!(near.starts_with(start), "{near}");
        for known in KINDS.iter() {
            assert!(near.contains(known.collection), "{near}");
            assert_eq!(of_collection(known.collection).unwrap(), known);
        }
        assert!(message("x").starts_with("collection `x` not found; known are schemas, "));
    }
}
