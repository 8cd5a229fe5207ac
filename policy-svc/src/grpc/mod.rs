//! The services: parse, call, convert.

mod channel;
mod configuration;
mod consent;
mod contact;
mod contact_policy;
mod facts;
mod gate;
mod judgement;
mod question;
mod settings;
mod status;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Datelike as _, Utc};
use history::{Collection, History, ServiceContext};
use proffer_proto::policy::v1::{
    self as proto, channel_service_server::ChannelServiceServer,
    consent_service_server::ConsentServiceServer,
    contact_gate_service_server::ContactGateServiceServer,
    contact_policy_service_server::ContactPolicyServiceServer,
    contact_service_server::ContactServiceServer, settings_service_server::SettingsServiceServer,
};
use serve::{Clock, Problem};
use tonic::{Status, service::Routes};

pub use self::{channel::Channels, gate::Gate};
use crate::{domain::configuration::Configuration, store::Store};

/// Bytes of a request.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a question with its candidates and pending outcomes, and of a delivery.
pub const QUESTION_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest id of a customer, decision, request or outcome, in bytes.
const ID_BYTES_MAX: usize = 128;
/// Longest name or reference, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// What every service here works with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// The ledger.
    pub store: Store,
    /// The log of the configuration.
    pub history: History,
    /// The channels in it.
    pub channels: Collection<proto::Channel>,
    /// The contact policies in it.
    pub policies: Collection<proto::ContactPolicy>,
    /// The time.
    pub clock: Clock,
    /// The newest configuration made ready, by tenant.
    ready: Arc<Mutex<HashMap<String, Arc<Configuration>>>>,
    /// Configurations of the past made ready, by tenant and revision.
    past: Arc<Mutex<Past>>,
}

/// By tenant and revision.
type Past = HashMap<(String, i64), Arc<Configuration>>;

impl Context {
    /// Everything over one log and one ledger.
    pub fn new(store: Store, history: History, clock: Clock) -> Self {
        let (channels, policies) =
            (Collection::new(history.clone()), Collection::new(history.clone()));
        Self {
            store,
            history,
            channels,
            policies,
            clock,
            ready: Arc::default(),
            past: Arc::default(),
        }
    }
}

impl ServiceContext for Context {
    fn history(&self) -> &History {
        &self.history
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// The services as routes.
pub fn routes(context: &Context) -> Routes {
    let context = || context.clone();
    Routes::builder()
        .routes()
        .add_service(
            ChannelServiceServer::new(channel::Channels(context()))
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            ContactPolicyServiceServer::new(contact_policy::ContactPolicies(context()))
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            SettingsServiceServer::new(settings::Settings(context()))
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            ConsentServiceServer::new(consent::Consents(context()))
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            ContactServiceServer::new(contact::Contacts(context()))
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            ContactGateServiceServer::new(gate::Gate(context()))
                .max_decoding_message_size(QUESTION_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
}

/// Runs what writes to its end: a caller that leaves does not leave a lock behind, and an answer
/// nobody hears is kept.
async fn in_its_own_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    tokio::spawn(work).await.map_err(|error| serve::internal(&error))?
}

/// Where a page goes on: instant and id of the last one told.
fn place(page_token: &str, first_us: i64) -> Result<(i64, String), Problem> {
    let (at_us, id) = match page_token {
        "" => return Ok((first_us, String::new())),
        text => text.split_once(' ').unwrap_or((text, "")),
    };
    match at_us.parse() {
        Ok(at_us) => Ok((at_us, id.to_owned())),
        Err(_) => Err(Problem::invalid_field("page_token", "is not a token of an earlier page")),
    }
}

/// What is wrong with an id that must be given.
fn id_fault(id: &str) -> Option<String> {
    match id.len() {
        0 => Some("is required".to_owned()),
        1..=ID_BYTES_MAX if id.chars().any(char::is_control) => {
            Some("must not hold control characters".to_owned())
        }
        1..=ID_BYTES_MAX => None,
        length => Some(format!("has {length} bytes, which exceeds the maximum {ID_BYTES_MAX}")),
    }
}

/// What is wrong with a text that may be empty.
fn text_fault(text: &str, bytes_max: usize) -> Option<String> {
    if text.len() > bytes_max {
        return Some(format!("has {} bytes, which exceeds the maximum {bytes_max}", text.len()));
    }
    text.contains('\0').then(|| "must not hold a null character".to_owned())
}

/// An instant from proto; a fault when it is out of range.
fn instant(at: &prost_types::Timestamp) -> Result<DateTime<Utc>, String> {
    let nanos = u32::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let found = nanos.and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos));
    found
        .filter(|at| (1..=9999).contains(&at.year()))
        .map(|at| serve::from_micros(at.timestamp_micros()))
        .ok_or_else(|| "is not an instant of the years 1 to 9999".to_owned())
}
