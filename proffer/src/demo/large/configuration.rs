//! What the large demo configures: one offer, a flow that learns, and an experiment in which half
//! of the customers are held out.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Api, Customer, Resource};
use crate::demo::{http::read, load};

/// For so many days after an exposure an outcome counts.
pub const WINDOW_DAYS: i64 = 14;
/// Name of the flow.
pub const FLOW: &str = "Large demo";

/// Stores it; gives the id of the experiment.
pub async fn store(api: &Api, start: DateTime<Utc>) -> anyhow::Result<String> {
    let field = |name: &str, of_type: &str| json!({"name": name, "type": of_type});
    let fields = [
        field("emailsOpened", "integer"),
        field("lifetimePurchases", "integer"),
        field("lastPurchaseDate", "date"),
    ];
    let node = |id: &str, config: Value| json!({"id": id, "type": id, "config": config});
    let nodes = [
        node("inventory", json!({"categories": ["Large demo"]})),
        node("enrich", json!({"schema": "Customer"})),
        node("qualify", json!({})),
        node("contact_policy", json!({})),
        node("score", json!({"method": "propensity"})),
        node("rank", json!({"weights": {"Wp": 0.5, "Wu": 0.5}})),
        node("response", json!({})),
    ];
    let learning = json!({"windowDays": WINDOW_DAYS,
        "features": ["emailsOpened", "lifetimePurchases", "lastPurchaseDate"]});
    let flow = json!({"name": FLOW, "config": {"nodes": nodes, "learning": learning}});
    let experiment = json!({"name": "Large demo", "flowId": FLOW, "holdoutPercentage": 50,
        "startsAt": start.to_rfc3339(), "duration": "60 days", "salt": "large-demo"});
    api.post("/api/v1/schemas", &json!({"name": "Customer", "fields": fields})).await?;
    api.post("/api/v1/categories", &json!({"name": "Large demo"})).await?;
    let offer = json!({"name": "10% back", "category": "Large demo", "cost": 2});
    api.post("/api/v1/offers", &offer).await?;
    api.post("/api/v1/channels", &json!({"name": "web"})).await?;
    api.post("/api/v1/decision-flows", &flow).await?;
    let stored: Resource = read(&api.post("/api/v1/experiments", &experiment).await?)?;
    Ok(stored.id)
}

/// Writes a record for every customer.
pub async fn records(
    api: &Api,
    customers: &[Customer],
    start: DateTime<Utc>,
) -> anyhow::Result<()> {
    let record = |customer: &Customer| {
        let last = start.date_naive() - TimeDelta::days(customer.days as i64);
        json!({"customerId": customer.id, "emailsOpened": customer.emails_opened,
            "lifetimePurchases": customer.purchases, "lastPurchaseDate": last.to_string()})
    };
    load::store(api, &customers.iter().map(record).collect::<Vec<_>>()).await
}
