//! decision-svc through its generated clients, on both stores, beside scripted neighbours.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod decision_service {
    pub mod alike;
    pub mod arms;
    pub mod arms_at_once;
    pub mod audit;
    pub mod batch;
    pub mod contact;
    pub mod effects;
    pub mod engine;
    pub mod explore;
    pub mod features;
    pub mod flows;
    pub mod fresh;
    pub mod keys;
    pub mod lists;
    pub mod logs;
    pub mod neighbours;
    pub mod not_now;
    pub mod online;
    pub mod outcomes;
    pub mod propensity;
    pub mod propensity_counts;
    pub mod recommend;
    pub mod relevance;
    pub mod report_scale;
    pub mod reports;
    pub mod reports_counted;
    pub mod retention;
    pub mod script;
    pub mod settled;
    pub mod suite;
    pub mod tenants;
    pub mod unknown_names;
    pub mod verdicts;
    pub mod worth;
}
