//! Loads the example through the public API: first its configuration files, then the records of the
//! customers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    customer::Customer,
    http::{Api, read},
    progress,
};

/// Records per call, the limit of the API.
const RECORDS_MAX: usize = 1_000;
/// Faults quoted when records are refused, at most.
const FAULTS_SHOWN: usize = 3;

macro_rules! example {
    ($file:literal) => {
        include_str!(concat!("../../../examples/winback/", $file))
    };
}

/// The e-mail channel. The demo also reads its quiet hours.
pub const CHANNEL_EMAIL: &str = example!("06-channel-email.json");
/// The SMS channel. The demo also reads its quiet hours.
pub const CHANNEL_SMS: &str = example!("07-channel-sms.json");

/// Paths and bodies of the configuration, in order.
pub const CONFIGURATION: [(&str, &str); 11] = [
    ("/api/v1/schemas", example!("01-schema.json")),
    ("/api/v1/categories", example!("02-category.json")),
    ("/api/v1/offers", example!("03-offer-apparel.json")),
    ("/api/v1/offers", example!("04-offer-electronics.json")),
    ("/api/v1/offers", example!("05-offer-home.json")),
    ("/api/v1/channels", CHANNEL_EMAIL),
    ("/api/v1/channels", CHANNEL_SMS),
    ("/api/v1/contact-policies", example!("08-contact-policy.json")),
    ("/api/v1/decision-flows", example!("09-decision-flow.json")),
    ("/api/v1/experiments", example!("10-experiment.json")),
    ("/api/v1/outcome-types", example!("11-outcome-type.json")),
];

/// The fields of a stored resource that the demo reads.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resource {
    /// Id; empty for an outcome type.
    pub id: String,
    /// Name.
    pub name: String,
    /// Warnings of the service.
    pub warnings: Vec<String>,
}

/// Posts the configuration and returns the answers in order. The experiment starts at `start`.
pub async fn configuration(
    api: &Api,
    start: DateTime<Utc>,
) -> anyhow::Result<Vec<(&'static str, Resource)>> {
    let mut stored = Vec::new();
    for (path, body) in CONFIGURATION {
        let answer = if path.ends_with("/experiments") {
            let mut experiment: serde_json::Value = serde_json::from_str(body)?;
            if let Some(fields) = experiment.as_object_mut() {
                fields.insert("startsAt".to_owned(), start.to_rfc3339().into());
            }
            api.post(path, &experiment).await?
        } else {
            api.post_text(path, body).await?
        };
        stored.push((path, read(&answer)?));
    }
    Ok(stored)
}

/// Writes a record for every customer.
pub async fn records(api: &Api, customers: &[Customer]) -> anyhow::Result<()> {
    let records: Vec<_> = customers.iter().map(record).collect::<Result<_, _>>()?;
    store(api, &records).await
}

/// Writes records.
pub async fn store(api: &Api, records: &[impl Serialize]) -> anyhow::Result<()> {
    let bar = progress::bar("loading customers", records.len());
    for some in records.chunks(RECORDS_MAX) {
        let body = BTreeMap::from([("records", some)]);
        let answer: Batch = read(&api.post("/api/v1/schemas/Customer/records", &body).await?)?;
        let faults: Vec<_> = answer.faults.iter().take(FAULTS_SHOWN).collect();
        anyhow::ensure!(
            answer.refused == 0,
            "{} records were refused, for example {faults:?}",
            answer.refused
        );
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

#[derive(Deserialize)]
struct Batch {
    refused: usize,
    faults: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "shown by its Debug form when a record is refused")]
struct Fault {
    customer_id: String,
    field: String,
    message: String,
}

/// A customer in the schema of the example. Unknown fields are left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    customer_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_purchase_date: Option<String>,
    lifetime_purchases: u32,
    // The digits of the file are sent unchanged, never through a double.
    lifetime_revenue: Box<RawValue>,
    primary_category: &'a str,
    preferred_channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent_email: Option<bool>,
    #[serde(rename = "consentSMS", skip_serializing_if = "Option::is_none")]
    consent_sms: Option<bool>,
    country_name: &'a str,
}

fn record(customer: &Customer) -> serde_json::Result<Record<'_>> {
    Ok(Record {
        customer_id: &customer.id,
        last_purchase_date: customer.last_purchase.map(|day| day.to_string()),
        lifetime_purchases: customer.purchases,
        lifetime_revenue: RawValue::from_string(customer.revenue.to_string())?,
        primary_category: customer.category,
        preferred_channel: customer.channel,
        timezone: customer.zone.map(|zone| zone.name()),
        consent_email: customer.consent_email,
        consent_sms: customer.consent_sms,
        country_name: &customer.country,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::customer::{FILE, customers, tests::at};

    #[test]
    fn a_record_carries_the_files_digits_and_leaves_out_what_is_not_known() {
        let customers = customers(at("2026-11-25T10:00:00Z")).unwrap();
        let known =
            Customer { consent_email: Some(true), consent_sms: None, ..customers[1].clone() };
        let text = serde_json::to_string(&record(&known).unwrap()).unwrap();
        assert!(text.contains(r#""lifetimeRevenue":4310.00,"#), "{text}");
        assert!(text.contains(r#""lastPurchaseDate":"2026-11-22","#), "{text}");
        let end = r#""timezone":"Atlantic/Reykjavik","consentEmail":true,"countryName":"Iceland"}"#;
        assert!(text.ends_with(end), "{text}");
    }

    /// An import of the file gives the customers of the demo.
    #[test]
    fn the_file_holds_the_records_that_the_demo_writes_and_fits_the_schema() {
        // On the day after the last day of the file nothing is shifted.
        let customers = customers(at("2026-11-30T10:00:00Z")).unwrap();
        let mut file = csv::Reader::from_reader(FILE.as_bytes());
        let names = file.headers().unwrap().clone();
        let schema: serde_json::Value = serde_json::from_str(CONFIGURATION[0].1).unwrap();
        let fields = schema["fields"].as_array().unwrap().iter();
        let fields: Vec<_> = fields.map(|field| field["name"].as_str().unwrap()).collect();
        assert_eq!(names.iter().skip(1).collect::<Vec<_>>(), fields);
        let mut count = 0;
        for (line, customer) in file.records().zip(&customers) {
            let (line, record) = (line.unwrap(), record(customer).unwrap());
            let record: BTreeMap<String, Box<RawValue>> =
                serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
            for (name, cell) in names.iter().zip(&line) {
                let written = record.get(name).map_or("", |value| value.get().trim_matches('"'));
                assert_eq!(cell, written, "{name} of {}", customer.id);
            }
            count += 1;
        }
        assert_eq!(count, customers.len());
    }

    #[test]
    fn every_file_of_the_configuration_is_json() {
        for (path, body) in CONFIGURATION {
            assert!(serde_json::from_str::<serde_json::Value>(body).unwrap().is_object(), "{path}");
        }
    }
}
