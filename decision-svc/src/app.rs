//! Wires the service: store, neighbors, gRPC services and background tasks.

use std::{sync::Arc, time::Duration};

use database::{Database, Location};
use history::{History, LogServer};
use proffer_proto::decision::v1::{
    DecisionFlow, configuration_service_server::ConfigurationServiceServer,
    decision_flow_service_server::DecisionFlowServiceServer,
    decision_service_server::DecisionServiceServer, model_service_server::ModelServiceServer,
    outcome_service_server::OutcomeServiceServer, report_service_server::ReportServiceServer,
    weight_profile_service_server::WeightProfileServiceServer,
};
use serve::{
    Clock, Deleted, Pace, Readiness, RetentionSettings, Task, follow_store,
    metadata::DEFAULT_TENANT,
};
use tokio::sync::Notify;
use tonic::service::Routes;

use crate::{
    FlowSettings,
    compiled_flows::CompiledFlows,
    deciding::{
        as_of::AsOfCases, candidates::Candidates, commit::Commit, explain::Explain,
        ground::Grounds, live::LiveCases, past::PastConfiguration, planner::Planner,
        recommend::Recommend, recorded::RecordedCases, release::Release, replay::Replay,
        respond::Respond, undelivered::Undelivered, whole_flow::WholeFlows,
    },
    grpc::{
        ANSWER_BYTES_MAX, BULK_BYTES_MAX, Context, REQUEST_BYTES_MAX, configuration::Configuration,
        decision::Decisions, decision_flow::DecisionFlows, model::Models, outcome::Outcomes,
        report::ReportRequests, weight_profile::WeightProfiles,
    },
    names::{KnownNames, Logs},
    neighbours::{
        Neighbours,
        follow::{self, Followers},
        past::Past,
    },
    online_learning::OnlineLearning,
    online_snapshots::OnlineSnapshots,
    past_flows::PastFlows,
    receipt::Receipts,
    relay::Relay,
    reporting::{
        read::Reports,
        roller::{Parts, Roller, Round},
    },
    response_counts::ResponseCounts,
    retention::Retention,
    settled::Settled,
    store::{self, Store},
    telemetry::{self, DecisionTally},
};

/// What the service needs from its process.
pub struct Deps {
    /// The time.
    pub clock: Clock,
    /// The services it calls.
    pub neighbours: Neighbours,
    /// How long a decision waits for configuration that it knows to be newer than its own.
    pub snapshot_wait_max: Duration,
    /// After this silence of experiment-svc decisions report `experiments_stale`.
    pub experiments_silence_max: Duration,
}

/// The silence of experiment-svc after which an experiment may have started without this process:
/// as long as an experiment waits before it starts.
pub const EXPERIMENTS_SILENCE_MAX: Duration = Duration::from_secs(2);

/// decision-svc. Cheap to clone.
#[derive(Clone)]
pub struct App {
    configuration: Context,
    decisions: Decisions,
    respond: Respond,
    relay: Relay,
    readiness: Readiness,
    database: Database,
    retention: Retention,
    online: OnlineLearning,
}

impl App {
    /// Full names of its services.
    pub const SERVICES: &'static [&'static str] = &[
        "proffer.decision.v1.DecisionFlowService",
        "proffer.decision.v1.WeightProfileService",
        "proffer.decision.v1.ModelService",
        "proffer.decision.v1.DecisionService",
        "proffer.decision.v1.OutcomeService",
        "proffer.decision.v1.ReportService",
        "proffer.decision.v1.ConfigurationService",
        history::LOG_SERVICE,
    ];

    /// Opens the store and puts the service together.
    pub async fn build(location: &Location, deps: Deps) -> anyhow::Result<Self> {
        let database = store::schema().open(location).await?;
        let history = History::new(database.clone());
        let Deps { clock, neighbours, snapshot_wait_max, experiments_silence_max } = deps;
        let configuration = Context {
            whole_flows: WholeFlows::new(history.clone()),
            known: KnownNames::new(&history),
            history,
            followers: Followers::new(neighbours.clone(), clock.clone()),
            clock: clock.clone(),
            flows: FlowSettings::default(),
        };
        let (store, bell) = (Store::new(database.clone()), Arc::<Notify>::default());
        let receipts = Receipts::new(clock.clone());
        let followers = configuration.followers.clone();
        let settled = Settled::start(store.clone(), receipts.clone(), clock.clone()).await?;
        let relay = Relay {
            store: store.clone(),
            neighbours,
            settled,
            followers: followers.clone(),
            bell: bell.clone(),
            clock,
        };
        let retention = Retention {
            store: store.clone(),
            history: configuration.history.clone(),
            followers: followers.clone(),
            settings: RetentionSettings::default(),
            clock: configuration.clock.clone(),
        };
        let names = configuration.known.names.clone();
        let respond = Respond { store, followers, names, receipts: receipts.clone(), bell };
        let waits = (snapshot_wait_max, experiments_silence_max);
        let clock = configuration.clock.clone();
        let snapshots = OnlineSnapshots::new(relay.store.clone(), clock.clone());
        let online = OnlineLearning::new(
            relay.store.clone(),
            relay.settled.clone(),
            snapshots.clone(),
            clock,
        );
        let decisions = decisions(&configuration, &relay, (receipts, snapshots), waits);
        let readiness = Readiness::default();
        follow::lacks_all(&readiness);
        readiness.set(true);
        Ok(Self {
            configuration,
            decisions,
            respond,
            relay,
            readiness,
            database,
            retention,
            online,
        })
    }

    /// With another limit on the flows of a tenant.
    #[must_use]
    pub fn with_flows(mut self, settings: FlowSettings) -> Self {
        self.configuration.flows = settings;
        self
    }

    /// With limits on how long decisions and outcomes are kept; by default they stay for ever.
    #[must_use]
    pub fn with_retention(mut self, settings: RetentionSettings) -> Self {
        self.retention.settings = settings;
        self
    }

    /// Deletes the rows that are due now; returns how many of each table. [`Self::tasks`] repeats
    /// it.
    pub async fn delete_old_rows(&self, pace: Pace) -> anyhow::Result<Deleted> {
        self.retention.once(pace).await
    }

    /// Counts for reports everything that is settled now. [`Self::tasks`] repeats it.
    pub async fn count_for_reports(&self) -> anyhow::Result<()> {
        let mut roller = Roller::new(self.roller());
        while roller.round().await? != Round::Done {}
        Ok(())
    }

    /// Notes how far this process has settled. [`Self::tasks`] repeats it.
    pub async fn settle(&self) -> anyhow::Result<()> {
        Ok(self.relay.settled.note().await?)
    }

    /// Learns the contacts that are due now, and publishes online models. [`Self::tasks`] repeats
    /// it.
    pub async fn learn_online(&self) -> anyhow::Result<()> {
        self.online.all().await
    }

    fn learning(&self) -> OnlineLearning {
        self.online.clone()
    }

    fn roller(&self) -> Parts {
        Parts {
            store: self.respond.store.clone(),
            settled: self.relay.settled.clone(),
            followers: self.respond.followers.clone(),
            clock: self.configuration.clock.clone(),
        }
    }

    fn reports(&self) -> Reports {
        Reports {
            store: self.respond.store.clone(),
            followers: self.respond.followers.clone(),
            names: self.configuration.known.names.clone(),
            flows: self.configuration.whole_flows.clone(),
            clock: self.configuration.clock.clone(),
        }
    }

    /// Its gRPC services.
    pub fn routes(&self) -> Routes {
        let context = || self.configuration.clone();
        let flows = DecisionFlowServiceServer::new(DecisionFlows(context()))
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let weight_profiles = WeightProfileServiceServer::new(WeightProfiles(context()))
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let models = ModelServiceServer::new(Models(context()))
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let decisions = DecisionServiceServer::new(self.decisions.clone())
            .max_decoding_message_size(BULK_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let outcomes = OutcomeServiceServer::new(Outcomes(self.respond.clone()))
            .max_decoding_message_size(BULK_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let reports = ReportServiceServer::new(ReportRequests(self.reports()))
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let problems = ConfigurationServiceServer::new(Configuration(context()))
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        Routes::new(flows)
            .add_service(weight_profiles)
            .add_service(models)
            .add_service(decisions)
            .add_service(outcomes)
            .add_service(reports)
            .add_service(problems)
            .add_service(self.log().served())
    }

    /// Its log, for services in the same process.
    pub fn log(&self) -> LogServer {
        LogServer::new(self.configuration.history.clone(), Vec::new)
    }

    /// Follows the logs of the neighbors from now on, for the names in them.
    pub fn follow(&self, logs: Logs) {
        self.configuration.known.connect(logs);
    }

    /// The store, to be closed when the process ends.
    pub fn database(&self) -> Database {
        self.database.clone()
    }

    /// Work beside the listener: the relay, the note of how far this process has settled, readiness
    /// once every neighbor has sent its configuration, flows bound to what has appeared, counts for
    /// reports, and old rows deleted.
    pub fn tasks(&self) -> Vec<Task> {
        let (followers, readiness) = (self.respond.followers.clone(), self.readiness.clone());
        let first = async move { followers.first_snapshot(DEFAULT_TENANT, &readiness).await };
        let store = follow_store(self.readiness.clone(), self.database.presence());
        let bound = history::keep_bound!(self.configuration.clone(), DecisionFlow);
        let report = telemetry::report(
            self.respond.store.clone(),
            self.respond.followers.clone(),
            self.configuration.clock.clone(),
        );
        let rows = self.retention.clone();
        let retention = serve::retention_task("decision", move |pace| {
            let rows = rows.clone();
            async move { rows.once(pace).await }
        });
        let (relay, settled) = (self.relay.clone().run(), self.relay.settled.clone());
        vec![
            Box::pin(relay),
            Box::pin(settled.keep_noting()),
            Box::pin(first),
            store,
            Box::pin(bound),
            Box::pin(report),
            Box::pin(Roller::new(self.roller()).run()),
            Box::pin(self.learning().run()),
            retention,
        ]
    }

    /// Whether it may be sent work.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }
}

/// Puts the use cases of decisions together.
fn decisions(
    configuration: &Context,
    relay: &Relay,
    (receipts, online): (Receipts, OnlineSnapshots),
    (snapshot_wait_max, experiments_silence_max): (Duration, Duration),
) -> Decisions {
    let Context { whole_flows, followers, clock, .. } = configuration;
    let Relay { store, neighbours, bell, .. } = relay;
    let Neighbours { catalog, gate, channels, .. } = neighbours;
    let undelivered = Undelivered { store: store.clone(), gate: gate.clone() };
    let planner = Planner::default();
    let live = LiveCases {
        store: store.clone(),
        responses: ResponseCounts::new(store.clone()),
        online: online.clone(),
        undelivered: undelivered.clone(),
        grounds: Grounds {
            flows: whole_flows.clone(),
            channels: channels.clone(),
            snapshot_wait_max,
        },
        followers: followers.clone(),
        compiled: CompiledFlows::default(),
        planner: planner.clone(),
        catalog: catalog.clone(),
        gate: gate.clone(),
        clock: clock.clone(),
        experiments_silence_max,
    };
    let past = PastConfiguration {
        flows: whole_flows.clone(),
        lookup: catalog.clone(),
        catalogs: Past::default(),
        ledger: neighbours.experiment.clone(),
        experiments: Past::default(),
        compiled: PastFlows::default(),
        online,
        planner,
    };
    let recorded = RecordedCases { store: store.clone(), past: past.clone(), gate: gate.clone() };
    let as_of = AsOfCases { past, followers: followers.clone(), gate: gate.clone() };
    Decisions {
        store: store.clone(),
        explain: Explain { live: live.clone(), as_of, store: store.clone(), gate: gate.clone() },
        recommend: Recommend {
            live,
            store: store.clone(),
            gate: gate.clone(),
            clock: clock.clone(),
            receipts,
            bell: bell.clone(),
            tally: DecisionTally::default(),
        },
        commit: Commit {
            store: store.clone(),
            undelivered,
            flows: whole_flows.clone(),
            catalog: catalog.clone(),
            gate: gate.clone(),
            clock: clock.clone(),
        },
        release: Release { store: store.clone(), gate: gate.clone() },
        replay: Replay { recorded: recorded.clone() },
        candidates: Candidates { recorded },
        clock: clock.clone(),
    }
}
