//! The gRPC services: each parses a request, calls the gate or the store, and prints the answer.

mod channel;
mod consent;
mod contact;
mod contact_ledger;
mod contact_policy;
mod gate;
mod settings;
mod status;

use history::{Collection, History, LogServer, ServiceContext};
use proffer_proto::policy::v1::{
    self as proto, channel_service_server::ChannelServiceServer,
    consent_service_server::ConsentServiceServer,
    contact_gate_service_server::ContactGateServiceServer,
    contact_ledger_service_server::ContactLedgerServiceServer,
    contact_policy_service_server::ContactPolicyServiceServer,
    contact_service_server::ContactServiceServer, settings_service_server::SettingsServiceServer,
};
use serve::{Clock, Problem};
use tonic::{Status, service::Routes};

pub use self::{channel::Channels, contact_ledger::ContactLedger, gate::GateService};
use crate::{
    configuration::Configurations, gate::Gate, lapses::Lapses, names::KnownNames, store::Store,
};

/// Bytes of a request.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a question with its candidates and pending outcomes, and of a delivery.
pub const QUESTION_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

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
    /// Both, and the settings, as rules use them.
    pub configurations: Configurations,
    /// What references are resolved against.
    pub(crate) known: KnownNames,
    /// The use cases.
    pub gate: Gate,
    /// Reservations that ended.
    pub(crate) lapses: Lapses,
}

impl Context {
    /// Everything over one log and one ledger.
    pub fn new(store: Store, history: History, clock: Clock) -> Self {
        let configurations = Configurations::new(history.clone());
        Self {
            gate: Gate::new(store.clone(), configurations.clone()),
            lapses: Lapses::new(store.clone()),
            channels: Collection::new(history.clone()),
            policies: Collection::new(history.clone()),
            known: KnownNames::new(&history),
            store,
            history,
            configurations,
            clock,
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
            ContactGateServiceServer::new(gate::GateService(context()))
                .max_decoding_message_size(QUESTION_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            ContactLedgerServiceServer::new(ContactLedger(context()))
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(LogServer::new(context().history, Vec::new).served())
}

/// Runs a write to its end even when the caller disconnects, so that no lock stays behind and the
/// answer is kept for a retry.
async fn in_its_own_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    tokio::spawn(serve::carried(work)).await.map_err(|error| serve::internal(&error))?
}

/// The position after which a page begins: instant and id of the last record of the page before.
fn page_position(page_token: &str, first_us: i64) -> Result<(i64, String), Problem> {
    let (at_us, id) = match page_token {
        "" => return Ok((first_us, String::new())),
        text => text.split_once(' ').unwrap_or((text, "")),
    };
    match at_us.parse() {
        Ok(at_us) => Ok((at_us, id.to_owned())),
        Err(_) => Err(Problem::invalid_field("page_token", "is not a token of an earlier page")),
    }
}
