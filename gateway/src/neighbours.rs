//! The four services behind the gateway, and how a call reaches them.

use anyhow::bail;
use bytes::{Buf as _, BufMut as _, Bytes};
use serve::Neighbour;
use tonic::{
    Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
};

/// Bytes of an answer from a service.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// The services behind the gateway.
#[derive(Clone, Debug)]
pub struct Neighbours {
    /// catalog-svc: what may be offered.
    pub catalog: Neighbour,
    /// policy-svc: who may be contacted.
    pub policy: Neighbour,
    /// decision-svc: decisions and outcomes.
    pub decision: Neighbour,
    /// experiment-svc: who is held out.
    pub experiment: Neighbour,
}

/// Names one of the [`Neighbours`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// catalog-svc.
    Catalog,
    /// policy-svc.
    Policy,
    /// decision-svc.
    Decision,
    /// experiment-svc.
    Experiment,
}

impl Service {
    /// The service that serves a package of the contracts.
    pub fn of_package(package: &str) -> anyhow::Result<Self> {
        Ok(match package {
            "proffer.catalog.v1" => Self::Catalog,
            "proffer.policy.v1" => Self::Policy,
            "proffer.decision.v1" => Self::Decision,
            "proffer.experiment.v1" => Self::Experiment,
            other => bail!("no service is known for package {other}"),
        })
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Catalog => "catalog-svc",
            Self::Policy => "policy-svc",
            Self::Decision => "decision-svc",
            Self::Experiment => "experiment-svc",
        }
    }
}

impl Neighbours {
    /// The neighbour of this name.
    pub fn of(&self, service: Service) -> &Neighbour {
        match service {
            Service::Catalog => &self.catalog,
            Service::Policy => &self.policy,
            Service::Decision => &self.decision,
            Service::Experiment => &self.experiment,
        }
    }

    /// Calls a method with an encoded message; the answer is encoded as well.
    pub async fn call(
        &self,
        service: Service,
        path: PathAndQuery,
        request: tonic::Request<Bytes>,
    ) -> Result<Bytes, Status> {
        let mut client = self.client(service).await?;
        let answered = client.unary(request, path, Untouched).await;
        Ok(answered.map_err(|status| told(service, status))?.into_inner())
    }

    /// Calls a method that answers with a stream; its messages stay encoded.
    pub async fn stream(
        &self,
        service: Service,
        path: PathAndQuery,
        request: tonic::Request<Bytes>,
    ) -> Result<tonic::Streaming<Bytes>, Status> {
        let mut client = self.client(service).await?;
        let answered = client.server_streaming(request, path, Untouched).await;
        Ok(answered.map_err(|status| told(service, status))?.into_inner())
    }

    async fn client(&self, service: Service) -> Result<Grpc<Neighbour>, Status> {
        let mut client =
            Grpc::new(self.of(service).clone()).max_decoding_message_size(ANSWER_BYTES_MAX);
        client.ready().await.map_err(|error| serve::unavailable(service.name(), &error))?;
        Ok(client)
    }
}

/// A status as a caller sees it. One with a source was made here, because the connection failed;
/// the service sent none.
fn told(service: Service, status: Status) -> Status {
    match std::error::Error::source(&status) {
        Some(_) => serve::unavailable(service.name(), &status),
        None => status,
    }
}

/// Messages that stay encoded.
struct Untouched;

impl Codec for Untouched {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Untouched;
    type Decoder = Untouched;

    fn encoder(&mut self) -> Untouched {
        Untouched
    }

    fn decoder(&mut self) -> Untouched {
        Untouched
    }
}

impl Encoder for Untouched {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Untouched {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
