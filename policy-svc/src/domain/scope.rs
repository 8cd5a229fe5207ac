//! The scope of a contact policy: which contacts it counts and which offers it refuses.

use super::{channel::Channel, facts::Subject, folded, zone};

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
    /// The channel it names now, when it names one.
    channel_id: Option<String>,
}

impl Scope {
    /// Reads `global`, `category:A,B`, `offer:…`, `channel:…`, `subcategory:…`, joined by `;`.
    /// Empty is `global`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > SCOPE_BYTES_MAX {
            return Err(format!(
                "has {} bytes, which exceeds the maximum {SCOPE_BYTES_MAX}",
                text.len()
            ));
        }
        if text.chars().any(char::is_control) {
            return Err("must not hold control characters".to_owned());
        }
        let mut scope = Self::default();
        if text.trim().is_empty() {
            return Ok(scope);
        }
        for part in text.split(';').map(str::trim) {
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

    /// Binds channel references to the channels that exist now.
    pub fn resolve(&mut self, channels: &[Channel]) {
        for clause in
            self.clauses.iter_mut().filter(|clause| clause.dimension == Dimension::Channel)
        {
            for value in &mut clause.values {
                value.channel_id =
                    find_channel(channels, &value.written).map(|channel| channel.id.clone());
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
    for written in list.split(',').map(str::trim) {
        if written.is_empty() {
            return Err(format!("`{}` needs at least one value and no empty ones", word.trim()));
        }
        values.push(Value {
            written: written.to_owned(),
            folded: folded(written),
            channel_id: None,
        });
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
        check("offer:a\nb", "must not hold control characters");
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
