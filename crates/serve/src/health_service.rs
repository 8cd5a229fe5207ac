//! The gRPC health service over the readiness of a process.

use std::sync::Arc;

use futures::{StreamExt as _, stream::BoxStream};
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};

use crate::Readiness;

/// Answers for the process (the empty name) and for each of its services by full name. All of them
/// are served while the process is ready.
#[derive(Clone, Debug)]
pub struct HealthService {
    readiness: Readiness,
    services: Arc<[String]>,
}

impl HealthService {
    /// Health of these services.
    pub fn served(readiness: &Readiness, services: &[&str]) -> HealthServer<Self> {
        let services = services.iter().map(|name| (*name).to_owned()).collect();
        HealthServer::new(Self { readiness: readiness.clone(), services })
    }

    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.services.iter().any(|known| known == service)
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

fn serving(is_ready: bool) -> HealthCheckResponse {
    response(if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing })
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        if !self.knows(&service) {
            return Err(Status::not_found(format!("service `{service}` is not served here")));
        }
        Ok(Response::new(serving(self.readiness.is_ready())))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let is_known = self.knows(&request.get_ref().service);
        let mut missing = self.readiness.follow();
        let news = async_stream::stream! {
            let mut said = None;
            loop {
                let is_ready = missing.borrow_and_update().is_empty();
                if !is_known {
                    yield Ok(response(ServingStatus::ServiceUnknown));
                    std::future::pending::<()>().await;
                }
                if said != Some(is_ready) {
                    said = Some(is_ready);
                    yield Ok(serving(is_ready));
                }
                if missing.changed().await.is_err() {
                    return;
                }
            }
        };
        Ok(Response::new(news.boxed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(readiness: &Readiness) -> HealthService {
        HealthService { readiness: readiness.clone(), services: Arc::new(["a.Service".to_owned()]) }
    }

    fn asked(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest { service: service.to_owned() })
    }

    #[tokio::test]
    async fn health_follows_readiness_for_the_process_and_each_service_by_name() {
        let readiness = Readiness::default();
        let health = health(&readiness);
        for is_ready in [false, true, false] {
            readiness.set(is_ready);
            for service in ["", "a.Service"] {
                let found = health.check(asked(service)).await.unwrap().into_inner();
                assert_eq!(found, serving(is_ready), "{service}");
            }
        }
        let unknown = health.check(asked("b.Service")).await.unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::NotFound);
    }

    #[tokio::test]
    async fn a_watch_of_health_has_each_change_and_an_unknown_service_is_said_once() {
        let readiness = Readiness::default();
        let health = health(&readiness);
        let mut news = health.watch(asked("a.Service")).await.unwrap().into_inner();
        assert_eq!(news.next().await.unwrap().unwrap(), serving(false));
        // Another thing that is missing changes nothing.
        readiness.needs("the store is away", false);
        readiness.needs("the store is away", true);
        readiness.set(true);
        assert_eq!(news.next().await.unwrap().unwrap(), serving(true));
        readiness.stop();
        assert_eq!(news.next().await.unwrap().unwrap(), serving(false));
        let mut unknown = health.watch(asked("b.Service")).await.unwrap().into_inner();
        let first = unknown.next().await.unwrap().unwrap();
        assert_eq!(first, response(ServingStatus::ServiceUnknown));
    }
}
