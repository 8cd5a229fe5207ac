//! The winback campaign with a channel on which every decision may return an offer.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    door::{Door, DoorKind},
    http::Client,
    play::play,
    scenario,
};

/// Configures what serves at `base`, `http://host:port`: the campaign, and the channel `web`, which
/// has no quiet hours and needs no consent.
pub async fn configure(base: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let door = Door::at(DoorKind::Curl, base, folder.path())?;
    play(&scenario::load("winback-configuration")?, &door).await?;
    let channel = json!({"name": "web", "channelType": "web"});
    Client::new(base).ok("POST", "/api/v1/channels", &channel).await?;
    Ok(())
}

/// Path of a customer's record.
pub fn record_path(customer: &str) -> String {
    format!("/api/v1/schemas/Customer/records/{customer}")
}

/// The record of a customer who went quiet and bought so often before, 3 times at least: there is
/// an offer for them.
pub fn lapsed(purchases: u64) -> Value {
    let day = serve::Clock::system().now() - TimeDelta::days(140);
    json!({"lifetimePurchases": purchases, "lifetimeRevenue": 100, "primaryCategory": "apparel",
        "lastPurchaseDate": day.date_naive().to_string()})
}
