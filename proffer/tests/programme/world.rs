//! All services in one process on a clock that is set by hand, with a programme configured.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use database::Location;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use proffer::suite::{Addresses, Suite};
use serde_json::{Value, json};
use serve::{Clock, telemetry::Figures};

/// Zones of the customers: around the world, with half hours, and where clocks change.
pub const ZONES: [&str; 12] = [
    "Pacific/Auckland",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Europe/Paris",
    "Europe/London",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
    "Pacific/Honolulu",
];

/// The services and their programme.
pub struct World {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
    clock: Clock,
    /// Id of the experiment.
    pub experiment: String,
    _folder: tempfile::TempDir,
}

/// When the programme is configured.
pub fn start() -> DateTime<Utc> {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

impl World {
    /// A programme whose experiment holds out this share, in percent, and which may contact so many
    /// customers in all. The clock reads an hour after the start.
    pub async fn open(holdout: u32, customers: &[(String, Value)], budget: Option<usize>) -> Self {
        let world = Self::bare().await;
        world.configure(holdout, customers, budget).await;
        world
    }

    /// The services without a programme, at the start.
    pub async fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = "127.0.0.1:0".parse().unwrap();
        let location = Location::Folder(folder.path().to_owned());
        let (clock, shutdown) = (Clock::fixed(start()), serve::Shutdown::new());
        let suite = Suite::start(
            &location,
            Addresses { listen: local, admin_listen: local },
            gateway::Config::default(),
            Duration::from_millis(250),
            clock.clone(),
            Figures::default(),
            &shutdown,
        );
        let suite = suite.await.unwrap();
        suite.ready().await;
        let base = format!("http://{}", suite.address);
        let client = Client::builder(TokioExecutor::new()).build_http();
        let experiment = "holdout".to_owned();
        Self { base, client, clock, experiment, _folder: folder }
    }

    /// Sets the clock.
    pub fn set(&self, at: DateTime<Utc>) {
        self.clock.set(at);
    }

    /// The answer to a call that must succeed.
    pub async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let bytes = self.bytes(method, path, body).await;
        if bytes.is_empty() { json!(null) } else { serde_json::from_slice(&bytes).unwrap() }
    }

    async fn bytes(&self, method: Method, path: &str, body: &Value) -> Bytes {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/api/v1/{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(text)))
            .unwrap();
        let answer = self.client.request(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        bytes
    }

    /// The lines of an answer that is JSON Lines.
    pub async fn lines(&self, path: &str) -> Vec<Value> {
        let bytes = self.bytes(Method::GET, path, &json!(null)).await;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, &body).await
    }

    async fn configure(&self, holdout: u32, customers: &[(String, Value)], budget: Option<usize>) {
        let field = |name: &str, of_type: &str| json!({"name": name, "type": of_type});
        let fields = [
            field("segment", "string"),
            field("timezone", "string"),
            field("consentEmail", "boolean"),
        ];
        self.post("schemas", json!({"name": "Customer", "fields": fields})).await;
        for category in ["Programme", "News"] {
            self.post("categories", json!({"name": category})).await;
        }
        for (name, category, priority) in
            [("gold", "Programme", 70), ("silver", "Programme", 60), ("paper", "News", 50)]
        {
            let rule = json!({"field": "segment", "op": "==", "value": "in"});
            let rules = if category == "News" { json!([]) } else { json!([rule]) };
            let offer = json!({"name": name, "category": category, "priority": priority,
                "qualificationRules": rules});
            self.post("offers", offer).await;
        }
        let quiet = json!({"quietHoursStart": "21:00", "quietHoursEnd": "08:00",
            "timezoneSource": "customer.timezone"});
        self.post("channels", json!({"name": "email", "config": quiet})).await;
        for policy in [
            json!({"name": "cap", "ruleType": "frequency_cap", "windowDays": 3,
                "maxImpressions": 3}),
            json!({"name": "hours", "ruleType": "time_window",
                "allowedDays": ["mon", "tue", "wed", "thu", "fri", "sat"], "start": "09:00",
                "end": "20:00", "scope": "category:Programme"}),
        ] {
            self.post("contact-policies", policy).await;
        }
        if let Some(contacts) = budget {
            let budget = json!({"name": "budget", "ruleType": "budget", "windowDays": 30,
                "scope": "category:Programme", "maxContacts": contacts});
            self.post("contact-policies", budget).await;
        }
        for name in ["Programme", "News"] {
            let nodes = json!([
                {"id": "inv", "type": "inventory", "config": {"categories": [name]}},
                {"id": "enr", "type": "enrich", "config": {"schema": "Customer"}},
                {"id": "qual", "type": "qualify", "config": {}},
                {"id": "cp", "type": "contact_policy", "config": {}},
                {"id": "score", "type": "score", "config": {"method": "priority"}},
                {"id": "rank", "type": "rank", "config": {}},
                {"id": "out", "type": "response", "config": {}},
            ]);
            self.post("decision-flows", json!({"name": name, "config": {"nodes": nodes}})).await;
        }
        for customers in customers.chunks(500) {
            let records: Vec<_> = customers.iter().map(|(_, record)| record).collect();
            self.post("schemas/Customer/records", json!({"records": records})).await;
        }
        let experiment = json!({"id": self.experiment, "name": "Holdout", "flowId": "Programme",
            "holdoutPercentage": holdout, "salt": "programme", "duration": "60 days"});
        let created = self.post("experiments", experiment).await;
        self.set(start() + TimeDelta::hours(1));
        // From here on the decisions know of it.
        let known = json!({"customerId": customers[0].0, "channel": "email", "flow": "Programme",
            "dryRun": true, "minRevision": [format!("experiment:{}", created["revision"])]});
        self.post("recommend", known).await;
    }
}
