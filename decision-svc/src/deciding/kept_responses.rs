//! The stored form of the counts that propensities were learned from: those of the offers that were
//! scored, of their categories, and of all.

use std::collections::BTreeMap;

use crate::domain::{
    compile::CompiledFlow,
    responses::{Count, Responses, category_key},
    score::Engagement,
};

/// Counts of responses as a decision used them. Lists belong together; numbers are mostly small,
/// and take a byte or two each.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeptResponses {
    /// Numbers of the offers with contacts, among those of the flow: each is that much more than
    /// the one before.
    #[prost(uint32, repeated, tag = "1")]
    offers: Vec<u32>,
    /// Contacts of each of these offers.
    #[prost(uint64, repeated, tag = "2")]
    contacts: Vec<u64>,
    /// Those with a positive response.
    #[prost(uint64, repeated, tag = "3")]
    positives: Vec<u64>,
    /// Categories with contacts of the offers that were scored.
    #[prost(message, repeated, tag = "4")]
    categories: Vec<KeptCategory>,
    /// Contacts of the tenant.
    #[prost(uint64, tag = "5")]
    contacts_in_all: u64,
    /// Those with a positive response.
    #[prost(uint64, tag = "6")]
    positives_in_all: u64,
}

/// The counts of a category.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeptCategory {
    /// Its id, or its name in lower case.
    #[prost(string, tag = "1")]
    category: String,
    /// Contacts.
    #[prost(uint64, tag = "2")]
    contacts: u64,
    /// Those with a positive response.
    #[prost(uint64, tag = "3")]
    positives: u64,
}

/// How the customer responds on the channel, as a decision used it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeptEngagement {
    /// Contacts and responses in turn: of the customer on the channel, of the customer, of all on
    /// the channel, of all.
    #[prost(uint64, repeated, tag = "1")]
    counts: Vec<u64>,
}

impl KeptEngagement {
    /// What is kept.
    pub fn of(engagement: &Engagement) -> Self {
        let Engagement { on_channel, customer, channel, tenant } = *engagement;
        let counts = [on_channel, customer, channel, tenant].into_iter();
        Self { counts: counts.flat_map(|it| [it.contacts, it.positives]).collect() }
    }

    /// What was kept.
    pub fn engagement(&self) -> Engagement {
        let number = |place: usize| self.counts.get(place).copied().unwrap_or_default();
        let count = |place: usize| Count { contacts: number(place), positives: number(place + 1) };
        Engagement { on_channel: count(0), customer: count(2), channel: count(4), tenant: count(6) }
    }
}

impl KeptResponses {
    /// What is kept for offers of a flow that were scored; nothing when none was.
    pub fn of(flow: &CompiledFlow, scored: &[u32], responses: &Responses) -> Option<Self> {
        if scored.is_empty() {
            return None;
        }
        let total = responses.total();
        let mut kept = Self {
            contacts_in_all: total.contacts,
            positives_in_all: total.positives,
            ..Self::default()
        };
        let (mut before, mut categories) = (0, BTreeMap::new());
        for number in scored {
            let Some(offer) = flow.offers.get(*number as usize) else { continue };
            let category = category_key(&offer.candidate);
            if !categories.contains_key(&*category) {
                let count = responses.of_category(&category);
                categories.insert(category.into_owned(), count);
            }
            let count = responses.of_offer(&offer.candidate.offer_id);
            if count.contacts > 0 {
                kept.offers.push(number - before);
                kept.contacts.push(count.contacts);
                kept.positives.push(count.positives);
                before = *number;
            }
        }
        let categories = categories.into_iter().filter(|(_, count)| count.contacts > 0);
        let category = |(category, count): (String, Count)| KeptCategory {
            category,
            contacts: count.contacts,
            positives: count.positives,
        };
        kept.categories = categories.map(category).collect();
        Some(kept)
    }

    /// The counts. `flow` is the one of the decision, compiled for the catalog of the decision.
    pub fn responses(&self, flow: &CompiledFlow) -> Responses {
        let total = Count { contacts: self.contacts_in_all, positives: self.positives_in_all };
        let categories = self.categories.iter().map(|kept| {
            let count = Count { contacts: kept.contacts, positives: kept.positives };
            (kept.category.clone(), count)
        });
        let mut number = 0_usize;
        let counts = self.contacts.iter().zip(&self.positives);
        let offers = self.offers.iter().zip(counts).filter_map(|(step, (contacts, positives))| {
            number += *step as usize;
            let offer = flow.offers.get(number)?;
            let count = Count { contacts: *contacts, positives: *positives };
            Some((offer.candidate.offer_id.clone(), count))
        });
        Responses::of(total, categories, offers)
    }
}
