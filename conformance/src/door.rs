//! The doors: a real curl, a dynamic gRPC client, a real grpcurl.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, bail};
use bytes::{Buf as _, BufMut as _, Bytes};
use futures::TryStreamExt as _;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde::Deserialize;
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};
use tonic::{
    Code, Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};
use tonic_types::StatusExt as _;

use crate::{Answer, Call, Fault, contract::Routes, suite::Suite};

/// Names the grpcurl the tests use.
pub const GRPCURL_VARIABLE: &str = "PROFFER_TEST_GRPCURL";

/// The ways in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DoorKind {
    /// REST by curl.
    Curl,
    /// gRPC by a client without generated code.
    Grpc,
    /// gRPC by grpcurl, from what reflection says.
    Grpcurl,
}

/// A way into one suite.
#[derive(Debug)]
pub struct Door {
    kind: DoorKind,
    base: String,
    folder: PathBuf,
    routes: Routes,
    channel: Option<Channel>,
}

impl Door {
    /// Opens a way into `suite`.
    pub fn open(kind: DoorKind, suite: &Suite) -> anyhow::Result<Self> {
        Self::at(kind, &suite.base, suite.folder())
    }

    /// Opens a way into what serves at `base`, `http://host:port`; the folder is for its own files.
    pub fn at(kind: DoorKind, base: &str, folder: &Path) -> anyhow::Result<Self> {
        let (base, folder) = (base.to_owned(), folder.join("curl"));
        std::fs::create_dir_all(&folder)?;
        // The seed's lines stay unchanged; this file says how curl reports.
        std::fs::write(
            folder.join(".curlrc"),
            "silent\nshow-error\nmax-time = 60\nwrite-out = \"\\n%{http_code}\"\n",
        )?;
        let channel = match kind {
            DoorKind::Grpc => Some(Channel::from_shared(base.clone())?.connect_lazy()),
            DoorKind::Curl | DoorKind::Grpcurl => None,
        };
        Ok(Self { kind, base, folder, routes: Routes::default(), channel })
    }

    /// Which way this is.
    pub fn kind(&self) -> DoorKind {
        self.kind
    }

    /// Makes a call. An error of the service is an answer; an error here means that there is none.
    pub async fn call(&self, call: &Call) -> anyhow::Result<Answer> {
        let context = || format!("{} {}", call.method, call.path);
        match self.kind {
            DoorKind::Curl => self.curl(call).await.with_context(context),
            DoorKind::Grpc => self.grpc(call).await.with_context(context),
            DoorKind::Grpcurl => self.grpcurl(call).await.with_context(context),
        }
    }

    async fn curl(&self, call: &Call) -> anyhow::Result<Answer> {
        let mut command = match &call.script {
            Some(script) => {
                let mut bash = Command::new("bash");
                bash.args(["-c", script]).env("BASE", &self.base);
                bash
            }
            None => {
                let mut curl = Command::new("curl");
                curl.args(["-X", &call.method, &format!("{}{}", self.base, call.path)]);
                if call.body.is_some() {
                    curl.args(["--data-binary", "@-"]);
                }
                curl
            }
        };
        command.env("CURL_HOME", &self.folder);
        let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
        let (code, output, errors) = run(command, &body).await?;
        let (text, status) = output.rsplit_once('\n').unwrap_or(("", &output));
        if code != Some(0) {
            bail!("curl failed: {errors}");
        }
        let is_stream = self.routes.request(call).is_ok_and(|(route, _)| route.is_stream());
        let body = match text.trim() {
            "" => Value::Null,
            // The lines of a stream, as a list.
            text if is_stream && status == "200" => {
                text.lines().map(serde_json::from_str::<Value>).collect::<Result<_, _>>()?
            }
            text => serde_json::from_str(text).with_context(|| format!("{status} with {text}"))?,
        };
        Ok(Answer { status: status.parse()?, error: Fault::in_json(&body), body })
    }

    async fn grpc(&self, call: &Call) -> anyhow::Result<Answer> {
        let (route, request) = self.routes.request(call)?;
        let channel = self.channel.clone().context("a gRPC door has a channel")?;
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await?;
        let path = format!("/{}/{}", route.rpc.parent_service().full_name(), route.rpc.name());
        let bytes = Bytes::from(request.encode_to_vec());
        if route.is_stream() {
            let answered =
                client.server_streaming(tonic::Request::new(bytes), path.parse()?, RawCodec);
            let answered = match answered.await {
                Ok(answers) => answers.into_inner().try_collect::<Vec<Bytes>>().await,
                Err(status) => Err(status),
            };
            let decoded = |bytes| DynamicMessage::decode(route.rpc.output(), bytes);
            return Ok(match answered {
                Ok(answers) => {
                    let answers: Vec<_> =
                        answers.into_iter().map(decoded).collect::<Result<_, _>>()?;
                    Answer { status: route.status, body: route.lines(&answers), error: None }
                }
                Err(status) => answer_of(&status, &route.body),
            });
        }
        match client.unary(tonic::Request::new(bytes), path.parse()?, RawCodec).await {
            Ok(response) => {
                let answer = DynamicMessage::decode(route.rpc.output(), response.into_inner())?;
                Ok(Answer {
                    status: route.status_of(&request, &answer),
                    body: route.shown(&answer),
                    error: None,
                })
            }
            Err(status) => Ok(answer_of(&status, &route.body)),
        }
    }

    async fn grpcurl(&self, call: &Call) -> anyhow::Result<Answer> {
        let (route, request) = self.routes.request(call)?;
        let rpc = format!("{}/{}", route.rpc.parent_service().full_name(), route.rpc.name());
        let mut command = grpcurl()?;
        let address = self.base.trim_start_matches("http://");
        command.args(["-plaintext", "-max-time", "60", "-format-error", "-d", "@", address, &rpc]);
        let (code, output, errors) = run(command, &serde_json::to_string(&request)?).await?;
        match code {
            Some(0) => {
                let mut reader = serde_json::Deserializer::from_str(&output);
                if route.is_stream() {
                    let answers = reader.into_iter::<Value>().map(|answer| {
                        Ok(DynamicMessage::deserialize(route.rpc.output(), answer?)?)
                    });
                    let answers: Vec<_> = answers.collect::<anyhow::Result<_>>()?;
                    let body = route.lines(&answers);
                    return Ok(Answer { status: route.status, body, error: None });
                }
                let answer = DynamicMessage::deserialize(route.rpc.output(), &mut reader)?;
                Ok(Answer {
                    status: route.status_of(&request, &answer),
                    body: route.shown(&answer),
                    error: None,
                })
            }
            // grpcurl ends with the gRPC code plus 64.
            Some(code @ 65..=80) => {
                let status: Value =
                    serde_json::from_str(&errors).with_context(|| errors.clone())?;
                let message = status["message"].as_str().unwrap_or_default();
                let code = Code::from_i32(code - 64);
                let mut answer = answer_of(&Status::new(code, message), &route.body);
                // The details are of types that reflection here does not hold, so grpcurl cannot
                // show them.
                if let Some(fault) = &mut answer.error {
                    (fault.reason, fault.fields) = (None, None);
                }
                Ok(answer)
            }
            _ => bail!("grpcurl failed ({code:?}): {errors}"),
        }
    }
}

/// The grpcurl the tests use.
pub fn grpcurl() -> anyhow::Result<Command> {
    let path = std::env::var_os(GRPCURL_VARIABLE).with_context(|| {
        format!("{GRPCURL_VARIABLE} is not set: run the tests with `cargo xtask test`")
    })?;
    Ok(Command::new(path))
}

/// Runs a command with `input`; gives its exit code, output and errors.
pub async fn run(
    mut command: Command,
    input: &str,
) -> anyhow::Result<(Option<i32>, String, String)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child =
        command.spawn().with_context(|| format!("start {:?}", command.as_std().get_program()))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that does not read its input closes the pipe.
        drop(pipe.write_all(input.as_bytes()).await);
    }
    let output = child.wait_with_output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

fn answer_of(status: &Status, body_field: &str) -> Answer {
    let details = status.get_error_details();
    let prefix = format!("{body_field}.");
    let faults =
        details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    let path_of = |field: &String| {
        let path = field.strip_prefix(&prefix).unwrap_or(field);
        // The one map that is flattened in JSON: a record's fields.
        camel_case(path.strip_prefix("fields.").unwrap_or(path))
    };
    let fault = Fault {
        code: code_name(status.code()),
        message: status.message().to_owned(),
        reason: details.error_info().map(|info| info.reason.clone()),
        fields: Some(faults.iter().map(|fault| path_of(&fault.field)).collect()),
    };
    Answer { status: http_status(status.code()), body: Value::Null, error: Some(fault) }
}

fn http_status(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Cancelled => 499,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    }
}

/// `INVALID_ARGUMENT` for `InvalidArgument`.
fn code_name(code: Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_uppercase());
    }
    name
}

fn camel_case(path: &str) -> String {
    let mut name = String::new();
    let mut starts_word = false;
    for c in path.chars() {
        match c {
            '_' => starts_word = true,
            c if starts_word => {
                name.extend(c.to_uppercase());
                starts_word = false;
            }
            c => name.push(c),
        }
    }
    name
}

/// Passes messages on as bytes: what they mean is read from the descriptors.
#[derive(Clone, Copy, Debug)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(message);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_paths_read_as_in_rest() {
        assert_eq!(code_name(Code::InvalidArgument), "INVALID_ARGUMENT");
        assert_eq!(code_name(Code::Ok), "OK");
        assert_eq!(camel_case("qualification_rules[0].value"), "qualificationRules[0].value");
    }
}
