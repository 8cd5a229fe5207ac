//! The scope of a contact policy: which contacts it counts and which offers it refuses.

use wire::named;

use super::{
    channel::Channel,
    facts::Subject,
    folded,
    list::{clauses, items},
    zone,
};

/// Longest scope, in bytes.
pub const SCOPE_BYTES_MAX: usize = 4_096;
/// Values of one clause.
pub const VALUES_MAX: usize = 200;

/// All clauses must match; none is `global`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    clauses: Vec<Clause>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dimension {
    Category,
    Offer,
    Channel,
    Subcategory,
}

/// One of the values must match: the list is one shared budget.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clause {
    dimension: Dimension,
    values: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    written: String,
    folded: String,
    /// The id it was bound to; then it means nothing else.
    bound: Option<String>,
    /// The channel that an unbound reference names now, when it names one.
    channel_id: Option<String>,
}

impl Dimension {
    /// The kind of what it names.
    fn kind(self) -> &'static str {
        match self {
            Self::Category => named::CATEGORY,
            Self::Offer => named::OFFER,
            Self::Channel => named::CHANNEL,
            Self::Subcategory => named::SUBCATEGORY,
        }
    }
}

impl Scope {
    /// Reads `global`, `category:A,B`, `offer:…`, `channel:…`, `subcategory:…`, joined by `;`. A
    /// value may stand in double quotes, `""` for a quote. Empty is `global`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > SCOPE_BYTES_MAX {
            return Err(format!(
                "has {} bytes, which exceeds the maximum {SCOPE_BYTES_MAX}",
                text.len()
            ));
        }
        if text.chars().any(char::is_control) {
            return Err("must not contain control characters".to_owned());
        }
        let mut scope = Self::default();
        if text.trim().is_empty() {
            return Ok(scope);
        }
        for part in clauses(text) {
            let part = part.trim();
            if part != "global" {
                scope.clauses.push(clause(part)?);
            }
        }
        Ok(scope)
    }

    /// The same on every channel.
    pub fn on_every_channel(mut self) -> Self {
        self.clauses.retain(|clause| clause.dimension != Dimension::Channel);
        self
    }

    /// True when it names channels.
    pub fn names_channels(&self) -> bool {
        self.clauses.iter().any(|clause| clause.dimension == Dimension::Channel)
    }

    /// True when everything matches.
    pub fn is_global(&self) -> bool {
        self.clauses.is_empty()
    }

    /// What it refers to: kinds and names as written; a subcategory in lower case.
    pub fn refers(&self) -> Vec<(&'static str, String)> {
        let of_clause = |clause: &Clause| {
            let dimension = clause.dimension;
            let name = move |value: &Value| match dimension {
                Dimension::Subcategory => value.folded.clone(),
                _ => value.written.clone(),
            };
            let values: Vec<_> = clause.values.iter().map(name).collect();
            values.into_iter().map(move |name| (dimension.kind(), name))
        };
        self.clauses.iter().flat_map(of_clause).collect()
    }

    /// Binds its references to ids, where there are any.
    pub fn bind(&mut self, id_of: impl Fn(&str, &str) -> Option<String>) {
        for clause in &mut self.clauses {
            for value in &mut clause.values {
                value.bound = id_of(clause.dimension.kind(), &value.written);
            }
        }
    }

    /// Finds the channels that unbound references name now.
    pub fn resolve(&mut self, channels: &[Channel]) {
        for clause in
            self.clauses.iter_mut().filter(|clause| clause.dimension == Dimension::Channel)
        {
            for value in &mut clause.values {
                let found = match &value.bound {
                    Some(id) => channels.iter().find(|channel| channel.id == *id),
                    None => find_channel(channels, &value.written),
                };
                value.channel_id = found.map(|channel| channel.id.clone());
            }
        }
    }

    /// References to channels that do not exist, after [`Self::resolve`].
    pub fn dangling_channels(&self) -> Vec<&str> {
        let channels = self.clauses.iter().filter(|clause| clause.dimension == Dimension::Channel);
        let dangling =
            channels.flat_map(|clause| &clause.values).filter(|value| value.channel_id.is_none());
        dangling.map(|value| value.written.as_str()).collect()
    }

    /// True when all clauses match. What has no offer matches only `global` and its channel.
    pub fn matches(&self, subject: &Subject) -> bool {
        self.clauses.iter().all(|clause| {
            clause.values.iter().any(|value| value.matches(clause.dimension, subject))
        })
    }
}

impl Value {
    fn matches(&self, dimension: Dimension, subject: &Subject) -> bool {
        if let Some(id) = &self.bound {
            return self.matches_bound(id, dimension, subject);
        }
        match dimension {
            Dimension::Channel => {
                let is_known = !subject.channel_id.is_empty();
                // The name recorded at the contact counts too, so that a rename loosens nothing.
                is_known
                    && (self.channel_id.as_ref() == Some(&subject.channel_id)
                        || self.written == subject.channel_id
                        || self.folded == subject.channel_folded)
            }
            _ if subject.offer_id.is_empty() => false,
            Dimension::Offer => self.written == subject.offer_id,
            Dimension::Category => {
                self.folded == subject.category_folded
                    || (!subject.category_id.is_empty() && self.written == subject.category_id)
            }
            Dimension::Subcategory => self.folded == subject.subcategory_folded,
        }
    }

    /// A bound reference means its id, whatever has the name. What has no id yet goes by its name.
    fn matches_bound(&self, id: &str, dimension: Dimension, subject: &Subject) -> bool {
        match dimension {
            Dimension::Channel => {
                // A report by a name that no channel had yet.
                let is_nameless = !subject.channel_id.is_empty()
                    && folded(&subject.channel_id) == subject.channel_folded;
                id == subject.channel_id || is_nameless && self.folded == subject.channel_folded
            }
            _ if subject.offer_id.is_empty() => false,
            Dimension::Offer => id == subject.offer_id,
            Dimension::Category if subject.category_id.is_empty() => {
                self.folded == subject.category_folded
            }
            Dimension::Category => id == subject.category_id,
            Dimension::Subcategory => self.folded == subject.subcategory_folded,
        }
    }
}

/// The channel of this id, else of this name.
pub fn find_channel<'a>(channels: &'a [Channel], named: &str) -> Option<&'a Channel> {
    let by_id = channels.iter().find(|channel| channel.id == named);
    by_id.or_else(|| channels.iter().find(|channel| folded(&channel.name) == folded(named)))
}

fn clause(part: &str) -> Result<Clause, String> {
    let (word, list) = part.split_once(':').unwrap_or((part, ""));
    let dimension = match word.trim() {
        "category" => Dimension::Category,
        "offer" => Dimension::Offer,
        "channel" => Dimension::Channel,
        "subcategory" => Dimension::Subcategory,
        "global" => return Err("`global` takes no values".to_owned()),
        other => {
            let shown = zone::shown(other);
            return Err(format!(
                "word `{shown}` is unknown; known are global, category, offer, channel, subcategory"
            ));
        }
    };
    let mut values = Vec::new();
    for written in items(list).map_err(|fault| format!("`{}` {fault}", word.trim()))? {
        if written.is_empty() {
            return Err(format!("`{}` needs at least one value and no empty ones", word.trim()));
        }
        let folded = folded(&written);
        values.push(Value { written, folded, bound: None, channel_id: None });
    }
    if values.len() > VALUES_MAX {
        return Err(format!(
            "`{}` has {} values, which exceeds the maximum {VALUES_MAX}",
            word.trim(),
            values.len()
        ));
    }
    Ok(Clause { dimension, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{channel::ChannelDraft, question::Candidate};

    fn subject(offer: &str, category: &str, subcategory: &str, channel: (&str, &str)) -> Subject {
        let candidate = Candidate {
            offer_id: offer.into(),
            category: category.into(),
            category_id: if category.is_empty() {
                String::new()
            } else {
                format!("cat_{}", folded(category))
            },
            subcategory: subcategory.into(),
            ..Default::default()
        };
        Subject::new(&candidate, channel.0, channel.1)
    }

    fn resolved(text: &str) -> Scope {
        let email =
            Channel::parse(&ChannelDraft { id: "ch_email", name: "email", ..Default::default() })
                .unwrap();
        let mut scope = Scope::parse(text).unwrap();
        scope.resolve(&[email]);
        scope
    }

    #[test]
    fn a_scope_matches_what_it_names() {
        let email = ("ch_email", "email");
        let check = |scope: &str, subject: Subject, expected: bool| {
            assert_eq!(resolved(scope).matches(&subject), expected, "{scope} {subject:?}");
        };
        check("", subject("off_1", "Apparel", "", email), true);
        check("global", subject("", "", "", ("", "")), true);
        check("category:Apparel,Electronics,Home", subject("off_1", "apparel", "", email), true);
        check("category: Apparel , Home", subject("off_1", "HOME", "", email), true);
        check("category:cat_apparel", subject("off_1", "Apparel", "", email), true);
        check("category:Apparel", subject("off_1", "Toys", "", email), false);
        check("category:Apparel", subject("off_1", "", "", email), false);
        check("offer:off_1,off_2", subject("off_2", "", "", email), true);
        check("offer:off_1", subject("OFF_1", "", "", email), false);
        check("subcategory:Shoes", subject("off_1", "Apparel", "shoes", email), true);
        check("channel:email", subject("off_1", "", "", email), true);
        check("channel:ch_email", subject("off_1", "", "", email), true);
        check("channel:Email", subject("off_1", "", "", ("ch_old", "email")), true);
        check("channel:sms", subject("off_1", "", "", email), false);
        check("channel:email", subject("off_1", "", "", ("", "")), false);
        check("channel:email;category:Apparel", subject("off_1", "Apparel", "", email), true);
        check("channel:email;category:Apparel", subject("off_1", "Home", "", email), false);
        check("global;category:Apparel", subject("off_1", "Home", "", email), false);
    }

    #[test]
    fn a_bound_value_means_its_id_whatever_has_the_name() {
        let check = |text: &str, ids: &[(&str, &str)], subject: Subject, expected: bool| {
            let mut scope = Scope::parse(text).unwrap();
            let id_of = |_: &str, named: &str| {
                let found = ids.iter().find(|(name, _)| *name == named);
                found.map(|(_, id)| (*id).to_owned())
            };
            scope.bind(id_of);
            assert_eq!(scope.matches(&subject), expected, "{text} {subject:?}");
        };
        let email = ("ch_email", "email");
        let apparel = [("Apparel", "cat_apparel")];
        // The category was renamed; another one has its name now.
        let renamed = Candidate {
            offer_id: "off_1".into(),
            category: "Clothes".into(),
            category_id: "cat_apparel".into(),
            ..Default::default()
        };
        let renamed = Subject::new(&renamed, "ch_email", "email");
        check("category:Apparel", &apparel, renamed.clone(), true);
        check("category:Apparel", &[("Apparel", "cat_2")], renamed, false);
        check(
            "category:Apparel",
            &[("Apparel", "cat_2")],
            subject("o", "Apparel", "", email),
            false,
        );
        // An offer whose category has no id yet goes by its name.
        let nameless = Candidate {
            offer_id: "off_1".into(),
            category: "apparel".into(),
            ..Default::default()
        };
        let nameless = Subject::new(&nameless, "ch_email", "email");
        check("category:Apparel", &apparel, nameless.clone(), true);
        check("category:Apparel", &[], nameless, true);
        check("offer:Spring", &[("Spring", "off_1")], subject("off_1", "", "", email), true);
        check("offer:Spring", &[("Spring", "off_2")], subject("off_1", "", "", email), false);
        let mail = [("email", "ch_email")];
        check("channel:email", &mail, subject("o", "", "", ("ch_email", "letters")), true);
        check("channel:email", &mail, subject("o", "", "", ("ch_2", "email")), false);
        // A report by the name before there was such a channel.
        check("channel:email", &mail, subject("o", "", "", ("email", "email")), true);
    }

    #[test]
    fn a_value_in_quotes_may_hold_what_separates() {
        let scope = Scope::parse("category:\"Home, garden; outdoor\",Toys;channel:email").unwrap();
        let named: Vec<_> = scope.refers().into_iter().map(|(_, named)| named).collect();
        assert_eq!(named, ["Home, garden; outdoor", "Toys", "email"]);
        let fault = Scope::parse("category:\"Home").unwrap_err();
        assert_eq!(fault, "`category` has a quote that is not closed");
    }

    #[test]
    fn an_outcome_without_an_offer_counts_only_for_global_and_its_channel() {
        let outcome = subject("", "Apparel", "shoes", ("ch_email", "email"));
        assert!(resolved("global").matches(&outcome));
        assert!(resolved("channel:email").matches(&outcome));
        for scope in [
            "category:Apparel",
            "subcategory:shoes",
            "offer:off_1",
            "channel:email;category:Apparel",
        ] {
            assert!(!resolved(scope).matches(&outcome), "{scope}");
        }
    }

    #[test]
    fn a_wrong_scope_is_refused_with_what_is_known() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Scope::parse(text).unwrap_err(), expected, "{text}")
        };
        check(
            "kategory:A",
            "word `kategory` is unknown; known are global, category, offer, channel, subcategory",
        );
        check("category:", "`category` needs at least one value and no empty ones");
        check("category", "`category` needs at least one value and no empty ones");
        check("category:A,,B", "`category` needs at least one value and no empty ones");
        check("global:1", "`global` takes no values");
        check(
            "category:A;",
            "word `` is unknown; known are global, category, offer, channel, subcategory",
        );
        check("offer:a\nb", "must not contain control characters");
        check(
            &format!("offer:{}", "x".repeat(4_091)),
            "has 4097 bytes, which exceeds the maximum 4096",
        );
        assert!(Scope::parse(&format!("offer:{}", "x".repeat(4_090))).is_ok());
        let values = |count: usize| format!("offer:{}", vec!["x"; count].join(","));
        assert!(Scope::parse(&values(VALUES_MAX)).is_ok());
        check(&values(VALUES_MAX + 1), "`offer` has 201 values, which exceeds the maximum 200");
    }
}
