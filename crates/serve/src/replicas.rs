//! The replicas of another service behind one client. Each call goes to the one with the fewest
//! calls in flight; one that cannot be connected to is left out until it can be again.
//!
//! This is the only layer that repeats calls. It repeats those that never reached a service, and
//! those without an answer that may be done twice; the retry budget limits both. An answer,
//! UNAVAILABLE included, is never asked for again: the service that gave it may have repeated its
//! own calls.

mod budget;
mod fault;
mod found;
mod place;
mod repeatable;

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, request::Parts};
use http_body_util::{BodyExt as _, Full};
use tonic::body::Body;
use tower::{BoxError, Service};

use self::{
    fault::Fault,
    found::{Found, Replica, System},
    place::Place,
};
pub use self::{found::CONNECT_TIMEOUT, place::NeighbourError};
use crate::{Clock, deadline, method};

/// Whether `urls` can be those of the replicas of a service.
pub fn check(urls: &str) -> Result<(), NeighbourError> {
    Place::all(urls).map(drop)
}

/// Times a call is sent at most.
const TRIES_MAX: usize = 3;

/// A client of a service with one or more replicas. Clones share connections and budget.
#[derive(Clone, Debug)]
pub struct Replicas(Arc<Found>);

impl Replicas {
    /// The replicas at `urls`: one `http://host:port`, or several separated by commas. Each address
    /// of a host is a replica; the names are looked up again all the time. Nothing is sent until
    /// the first call.
    pub fn new(urls: &str) -> Result<Self, NeighbourError> {
        Ok(Self(Found::start(Place::all(urls)?, System)))
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (parts, body) = request.into_parts();
        if method::at(parts.uri.path()).is_some_and(|method| method.takes_stream) {
            let replica = self.0.pick(&[]).await?;
            return replica.send(Request::from_parts(parts, body)).await;
        }
        let body = body.collect().await?.to_bytes();
        self.0.budget.deposit();
        let stopwatch = Clock::system().stopwatch();
        let limit = deadline::asked(&parts.headers);
        let mut tried = Vec::new();
        let mut replica = self.0.pick(&tried).await?;
        loop {
            let left = limit.map(|limit| limit.saturating_sub(stopwatch.elapsed()));
            let attempt = attempt(&parts, body.clone(), left.filter(|_| !tried.is_empty()));
            let error = match replica.send(attempt).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            tried.push(replica.clone());
            let has_time = left.is_none_or(|left| !left.is_zero());
            let next = (tried.len() < TRIES_MAX && has_time)
                .then(|| self.next(&tried, &error, &parts, &body))
                .flatten();
            let Some(next) = next else { return Err(error) };
            let service = repeatable::service(parts.uri.path());
            tracing::debug!(service, %error, address = %next.address, "a call is sent again");
            metrics::counter!("proffer.call.retries", "service" => service).increment(1);
            replica = next;
        }
    }

    /// The replica that the call is sent to again; none when it is not.
    fn next(
        &self,
        tried: &[Arc<Replica>],
        error: &BoxError,
        parts: &Parts,
        body: &Bytes,
    ) -> Option<Arc<Replica>> {
        let fault = Fault::of(error.as_ref());
        let may_repeat = match fault {
            Fault::NotConnected | Fault::NotSent => true,
            Fault::NoAnswer => repeatable::is_repeatable(parts.uri.path(), body),
            Fault::OutOfTime => false,
        };
        if !may_repeat {
            return None;
        }
        // One that closed its connection takes the call on a new one.
        let again = || tried.last().filter(|_| fault == Fault::NotSent).cloned();
        let next = self.0.other(tried).or_else(again)?;
        self.0.budget.withdraw().then_some(next)
    }
}

/// The request once more; `left` is the time that is left of its limit.
fn attempt(parts: &Parts, body: Bytes, left: Option<Duration>) -> Request<Body> {
    let mut parts = parts.clone();
    if let Some(left) = left {
        deadline::shorten(&mut parts.headers, left);
    }
    Request::from_parts(parts, Body::new(Full::new(body)))
}

impl Service<Request<Body>> for Replicas {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let replicas = self.clone();
        Box::pin(async move { replicas.send(request).await })
    }
}

#[cfg(test)]
mod tests;
