//! How many contacts there were with each offer, and how many of them the customer answered. The
//! propensity of an offer is learned from these counts.

use std::borrow::Cow;

use foldhash::fast::FixedState;
use rpds::HashTrieMapSync;

use crate::domain::{offer_subject::OfferSubject, report::cell::category_of};

/// Contacts, and those with a positive response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Customers' contacts with an offer, one for each decision.
    pub contacts: u64,
    /// Those with a positive response in time; no more than contacts.
    pub positives: u64,
}

/// What was counted of a tenant. A clone is cheap, and shares what is not changed afterwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Responses {
    total: Count,
    categories: Counts,
    offers: Counts,
    channels: Counts,
}

/// Counts by name. A change copies a few nodes of it.
type Counts = HashTrieMapSync<String, Count, FixedState>;

/// What is known of the responses to an offer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// To the offer itself.
    pub offer: Count,
    /// To all offers of its category.
    pub category: Count,
    /// To all offers of the tenant.
    pub tenant: Count,
}

impl Count {
    /// The sum.
    pub fn plus(self, other: Self) -> Self {
        Self {
            contacts: self.contacts.saturating_add(other.contacts),
            positives: self.positives.saturating_add(other.positives),
        }
    }

    /// This without what `other` counts.
    fn less(self, other: Self) -> Self {
        Self {
            contacts: self.contacts.saturating_sub(other.contacts),
            positives: self.positives.saturating_sub(other.positives),
        }
    }
}

impl Responses {
    /// What was counted in all, by category and by offer.
    pub fn of(
        total: Count,
        categories: impl IntoIterator<Item = (String, Count)>,
        offers: impl IntoIterator<Item = (String, Count)>,
    ) -> Self {
        let mut responses = Self { total, ..Self::default() };
        for (category, count) in categories {
            change(&mut responses.categories, &category, |known| known.plus(count));
        }
        for (offer_id, count) in offers {
            change(&mut responses.offers, &offer_id, |known| known.plus(count));
        }
        responses
    }

    /// True without any contact.
    pub fn is_empty(&self) -> bool {
        self.total.contacts == 0
    }

    /// What was counted in all.
    pub fn total(&self) -> Count {
        self.total
    }

    /// Counts contacts with an offer, which was in `category` then, on a channel, as `now` instead
    /// of `before`.
    pub fn replace(
        &mut self,
        (offer_id, category, channel): (&str, &str, &str),
        before: Count,
        now: Count,
    ) {
        let replaced = |known: Count| known.plus(now).less(before);
        self.total = self.total.plus(now).less(before);
        change(&mut self.categories, category, replaced);
        change(&mut self.offers, offer_id, replaced);
        change(&mut self.channels, channel, replaced);
    }

    /// What was counted of an offer.
    pub fn of_offer(&self, offer_id: &str) -> Count {
        self.offers.get(offer_id).copied().unwrap_or_default()
    }

    /// What was counted of a category.
    pub fn of_category(&self, category: &str) -> Count {
        self.categories.get(category).copied().unwrap_or_default()
    }

    /// What was counted on a channel.
    pub fn on_channel(&self, channel: &str) -> Count {
        self.channels.get(channel).copied().unwrap_or_default()
    }

    /// What is known of an offer; none when there was no contact at all.
    #[inline]
    pub fn evidence(&self, subject: &OfferSubject) -> Option<Evidence> {
        if self.is_empty() {
            return None;
        }
        Some(Evidence {
            offer: self.of_offer(&subject.offer_id),
            category: self.of_category(&category_key(subject)),
            tenant: self.total,
        })
    }
}

/// The category of an offer as responses are counted: as in reports.
pub fn category_key(subject: &OfferSubject) -> Cow<'_, str> {
    match subject.category_id.as_str() {
        "" => Cow::Owned(category_of(subject)),
        id => Cow::Borrowed(id),
    }
}

fn change(counts: &mut Counts, name: &str, changed: impl Fn(Count) -> Count) {
    let known = counts.get(name).copied().unwrap_or_default();
    counts.insert_mut(name.to_owned(), changed(known));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(contacts: u64, positives: u64) -> Count {
        Count { contacts, positives }
    }

    fn subject(offer_id: &str, category_id: &str) -> OfferSubject {
        let (offer_id, category_id) = (offer_id.to_owned(), category_id.to_owned());
        OfferSubject { offer_id, category_id, ..OfferSubject::default() }
    }

    #[test]
    fn sums_follow_the_offers_and_an_earlier_clone_does_not() {
        let mut responses = Responses::default();
        assert_eq!(responses.evidence(&subject("a", "home")), None, "nothing is known");
        responses.replace(("a", "home", "email"), Count::default(), count(3, 1));
        let earlier = responses.clone();
        responses.replace(("a", "home", "email"), count(3, 1), count(4, 2));
        responses.replace(("b", "home", "email"), Count::default(), count(10, 0));
        // The offer has moved: what was counted stays where it was.
        responses.replace(("a", "toys", "email"), Count::default(), count(1, 1));
        let found = responses.evidence(&subject("a", "toys")).unwrap();
        let expected = Evidence { offer: count(5, 3), category: count(1, 1), tenant: count(15, 3) };
        assert_eq!(found, expected);
        assert_eq!(responses.of_category("home"), count(14, 2));
        assert_eq!((earlier.total(), earlier.of_offer("a")), (count(3, 1), count(3, 1)));
        let (categories, offers) = (["home", "toys"], ["a", "b"]);
        let again = Responses::of(
            responses.total(),
            categories.map(|name| (name.to_owned(), responses.of_category(name))),
            offers.map(|name| (name.to_owned(), responses.of_offer(name))),
        );
        assert_eq!(responses.on_channel("email"), responses.total());
        let without_channels = Responses { channels: Counts::default(), ..responses };
        assert_eq!(again, without_channels, "a record has channels apart");
    }

    #[test]
    fn an_offer_whose_category_is_not_stored_counts_under_its_name() {
        let unstored = OfferSubject { category: " Home".to_owned(), ..subject("a", "") };
        assert_eq!(category_key(&unstored), "home");
        assert_eq!(category_key(&subject("a", "cat_home")), "cat_home");
    }
}
