//! The logs of all services as decision-svc reads and checks them.

use std::sync::Arc;

use database::Location;
use decision_svc::{App, Deps, names};
use proffer_proto::{
    decision::v1::{
        self as proto, HistoryAction, configuration_service_client::ConfigurationServiceClient,
        decision_flow_service_client::DecisionFlowServiceClient,
    },
    values::v1::ConfigurationChange,
};
use serve::Neighbour;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{neighbours::Fakes, suite::winback};

/// decision-svc whose neighbours are there, as far as `logs` says.
async fn start(
    location: &Location,
    logs: Option<names::Logs>,
) -> (ConfigurationServiceClient<Neighbour>, DecisionFlowServiceClient<Neighbour>) {
    let fakes = Fakes::new();
    let deps = Deps {
        clock: serve::Clock::fixed(serve::from_micros(super::suite::NOW_US)),
        neighbours: fakes.neighbours(),
        snapshot_wait_max: std::time::Duration::from_millis(250),
        experiments_silence_max: fakes.experiments_silence_max,
    };
    let app = App::build(location, deps).await.unwrap();
    if let Some(logs) = logs {
        app.follow(logs);
    }
    let own = Neighbour::local(app.routes());
    (ConfigurationServiceClient::new(own.clone()), DecisionFlowServiceClient::new(own))
}

/// The logs of three empty stores.
async fn empty_logs() -> names::Logs {
    let log = async || {
        let url = Location::Url(testkit::fresh_database_url().await);
        let steps = [history::migrations()];
        let database =
            database::Database::open(&url, "log", database::PoolSizes::default(), &steps).await;
        let no_built_in: fn() -> Vec<ConfigurationChange> = Vec::new;
        let log = history::LogServer::new(history::History::new(database.unwrap()), no_built_in);
        Arc::new(log) as Arc<history::Log>
    };
    names::Logs { catalog: log().await, policy: log().await, experiment: log().await }
}

async fn history_of(
    client: &ConfigurationServiceClient<Neighbour>,
    collection: &str,
    id: &str,
) -> Result<proto::ListHistoryResponse, Status> {
    let (collection, id) = (collection.to_owned(), id.to_owned());
    let request = proto::ListHistoryRequest { collection, id, ..Default::default() };
    Ok(client.clone().list_history(request).await?.into_inner())
}

async fn on_both(check: impl AsyncFn(&Location)) {
    let folder = tempfile::tempdir().unwrap();
    check(&Location::Folder(folder.path().to_owned())).await;
    check(&Location::Url(testkit::fresh_database_url().await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_write_of_a_flow_is_listed_with_its_author_and_its_changes() {
    on_both(async |location| {
        let (client, flows) = start(location, Some(empty_logs().await)).await;
        let mut create = tonic::Request::new(proto::CreateDecisionFlowRequest {
            decision_flow: Some(winback()),
            ..Default::default()
        });
        create.metadata_mut().insert("x-proffer-actor", "ann".parse().unwrap());
        flows.clone().create_decision_flow(create).await.unwrap();
        let patch = proto::DecisionFlow { description: "better".to_owned(), ..winback() };
        let mut update = tonic::Request::new(proto::UpdateDecisionFlowRequest {
            id: "Winback".to_owned(),
            decision_flow: Some(patch),
            update_mask: Some(prost_types::FieldMask { paths: vec!["description".to_owned()] }),
        });
        update.metadata_mut().insert("x-proffer-actor", "bob".parse().unwrap());
        flows.clone().update_decision_flow(update).await.unwrap();
        let found = history_of(&client, "decision-flows", "Winback").await.unwrap();
        assert_eq!((found.kind.as_str(), found.id.as_str()), ("decision_flow", "flow_winback"));
        let [second, first] = found.entries.as_slice() else { panic!("{found:?}") };
        assert_eq!((second.actor.as_str(), second.action()), ("bob", HistoryAction::Update));
        assert_eq!((first.actor.as_str(), first.action()), ("ann", HistoryAction::Create));
        let [change] = second.changes.as_slice() else { panic!("{second:?}") };
        assert_eq!(
            (change.path.as_str(), change.now.as_deref()),
            ("description", Some("\"better\""))
        );
        assert!(second.hash.starts_with(&second.etag) && second.etag.len() == 16);
        let verified = client.clone().verify_logs(proto::VerifyLogsRequest {}).await.unwrap();
        let verified = verified.into_inner();
        assert!(verified.valid, "{verified:?}");
        let own = verified.services.iter().find(|log| log.service == "decision-svc").unwrap();
        assert_eq!((own.entries, own.head.as_str()), (2, second.hash.as_str()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_is_named() {
    on_both(async |location| {
        let (client, _) = start(location, None).await;
        for (collection, service) in [
            ("offers", "catalog-svc"),
            ("contact-policies", "policy-svc"),
            ("settings", "policy-svc"),
            ("experiments", "experiment-svc"),
        ] {
            let status = history_of(&client, collection, "settings").await.unwrap_err();
            assert_eq!(status.code(), Code::Unavailable, "{collection}: {status}");
            let info = status.get_details_error_info().unwrap();
            assert_eq!(info.metadata["service"], service);
        }
        let verified = client.clone().verify_logs(proto::VerifyLogsRequest {}).await.unwrap();
        let verified = verified.into_inner();
        assert_eq!(verified.unanswered, ["catalog-svc", "experiment-svc", "policy-svc"]);
        assert!(!verified.valid, "a log that nobody checked is not known to be intact");
        assert!(verified.services.iter().all(|log| log.valid));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_of_one_write_are_cut_and_the_others_counted() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Folder(folder.path().to_owned());
    let steps = [history::migrations()];
    let database =
        database::Database::open(&location, "decision", database::PoolSizes::default(), &steps)
            .await
            .unwrap();
    let log = history::History::new(database);
    let node =
        |n: usize, kind: &str| proto::Node { id: format!("{kind}{n}"), ..Default::default() };
    for kind in ["a", "b"] {
        let nodes = (0..130).map(|n| node(n, kind)).collect();
        let flow = proto::DecisionFlow {
            config: Some(proto::DecisionFlowConfig { nodes, learning: None }),
            ..Default::default()
        };
        let payload = prost::Message::encode_to_vec(&flow);
        let (id, name) = ("flow_wide".to_owned(), "Wide".to_owned());
        let write = match kind {
            "a" => history::Write::Create { id: history::IdChoice::Given(id), name, payload },
            _ => history::Write::Update { id, name, payload, expected: None },
        };
        let at = chrono::DateTime::UNIX_EPOCH;
        let change =
            history::Change { tenant: "default", actor: "ann", at, kind: "decision_flow", write };
        log.write(change).await.unwrap();
    }
    drop(log);
    let (client, _) = start(&location, None).await;
    let found = history_of(&client, "decision-flows", "flow_wide").await.unwrap();
    let newest = &found.entries[0];
    assert_eq!((newest.changes.len(), newest.omitted_changes), (100, 30));
    assert_eq!(newest.changes[99].path, "config.nodes[99].id");
    assert_eq!(found.entries[1].omitted_changes, 0);
}
