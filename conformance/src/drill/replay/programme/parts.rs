//! What offers and flows refer to: metrics, creatives, a weight profile, a model.

use serde_json::{Value, json};

use super::{OFFERS, create as create_one, rule};
use crate::{drill::draw::Draw, http::Client};

/// Ends of schedules and mandates: one lies behind, one far ahead.
pub const ENDS: [&str; 2] = ["2021-01-01T00:00:00Z", "2999-01-01T00:00:00Z"];
/// Metrics as rules name them.
pub const METRICS: [&str; 3] = ["metrics.seen", "metrics.spent", "metrics.last_spent"];

/// Creates the metrics, which rules of offers read.
pub async fn create_metrics(client: &Client) -> anyhow::Result<()> {
    let metrics = [
        ("seen", "impression", "count"),
        ("spent", "conversion", "sum"),
        ("last_spent", "conversion", "last"),
    ];
    for (key, outcome, aggregate) in metrics {
        let metric = json!({"key": key, "name": key, "outcome": outcome, "aggregate": aggregate,
            "windowDays": 7});
        create_one(client, "behavioral-metrics", &metric).await?;
    }
    Ok(())
}

/// Creates the rest.
pub async fn create(client: &Client, draw: &mut Draw) -> anyhow::Result<()> {
    create_one(client, "placements", &json!({"name": "Banner", "channel": "web"})).await?;
    for index in 0..OFFERS {
        let creative = json!({"id": format!("cre_{index}"), "name": format!("Creative {index}"),
            "offer": format!("off_{}", draw.below(OFFERS)), "channel": draw.of(&["", "web",
                "email"]),
            "placement": draw.of(&["", "Banner"]), "weight": draw.below(101),
            "content": {"headline": format!("Headline {index}")}});
        create_one(client, "creatives", &creative).await?;
    }
    let weights = json!({"Wp": 0.5, "Wr": 0.2, "Wi": 0.1, "We": 0.3});
    create_one(client, "weight-profiles", &json!({"name": "Shared", "weights": weights})).await?;
    let model = json!({"name": "Response", "type": "logistic_regression",
        "config": {"intercept": -1, "terms": [
        {"field": "customer.score", "coefficient": 0.02, "whenMissing": 50},
        {"field": "tier", "coefficient": 0.7, "equals": "gold", "whenMissing": 0},
        {"field": "metrics.seen", "coefficient": -0.3},
        {"field": "metrics.last_spent", "coefficient": 0.01, "whenMissing": 0},
        {"field": "offer.priority", "coefficient": 0.01},
    ]}});
    create_one(client, "models", &model).await?;
    Ok(())
}

/// Puts steps between qualification and rank.
pub fn put_into(nodes: &mut Vec<Value>, draw: &mut Draw, is_profiled: bool) {
    let Some(score) = nodes.iter().position(|node| node["type"] == json!("score")) else { return };
    if is_profiled {
        nodes[score + 1]["config"] = json!({});
        nodes.insert(
            score + 1,
            json!({"id": "optimize", "type": "optimize", "config": {"profile": "shared"}}),
        );
    }
    let match_mode = draw.of(&["any", "exact", "none"]);
    let creatives = json!({"requireCreative": is_profiled, "placementMatchMode": match_mode});
    nodes.insert(score, json!({"id": "say", "type": "match_creatives", "config": creatives}));
    // Fields that every category has: those of one are unknown to the offers of another.
    let mut own = rule(draw, 0, 2);
    while own["field"].as_str().is_some_and(|field| field.ends_with('0')) {
        own = rule(draw, 0, 2);
    }
    nodes.insert(score, json!({"id": "filter", "type": "filter", "config": {"rules": [own]}}));
}

/// Edits all of it.
pub async fn edit(client: &Client) -> anyhow::Result<()> {
    let weights = json!({"weights": {"Wp": 0, "We": 2}});
    client.ok("PATCH", "/api/v1/weight-profiles/shared", &weights).await?;
    client.ok("DELETE", "/api/v1/models/response", &Value::Null).await?;
    for index in 0..OFFERS {
        let edited = json!({"content": {"headline": "Edited"}, "weight": 1, "placement": ""});
        client.ok("PATCH", &format!("/api/v1/creatives/cre_{index}"), &edited).await?;
    }
    client
        .ok(
            "PATCH",
            "/api/v1/behavioral-metrics/seen",
            &json!({"windowDays": 1, "status": "paused"}),
        )
        .await?;
    client
        .ok("PATCH", "/api/v1/behavioral-metrics/spent", &json!({"outcome": "impression"}))
        .await?;
    client.ok("PATCH", "/api/v1/placements/plc_banner", &json!({"status": "archived"})).await?;
    Ok(())
}
