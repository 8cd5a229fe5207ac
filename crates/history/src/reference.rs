//! What a resource refers to: resolved when it is written, and bound to an id, so that a rename
//! takes nothing away and a deleted resource's place is not taken by a new one of its name.

use std::{collections::BTreeSet, sync::Arc};

use futures::future::{join_all, select_all};
use proffer_proto::values::v1::Reference;
use serve::metadata::DEFAULT_TENANT;
use tokio::sync::watch;
use wire::name::{Hints, folded};

use crate::{Directory, Follower, follow::Heard};

/// The names of several logs, each followed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Names(Arc<Vec<Follower>>);

/// A reference and what became of it.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// As it is stored.
    pub reference: Reference,
    standing: Standing,
}

/// Whether there is what a reference means.
#[derive(Clone, Debug)]
enum Standing {
    There,
    /// Bound, and deleted since.
    Gone,
    /// Nothing of that name; the hint names the nearest one.
    Unknown(String),
    /// The owner does not answer.
    Unchecked(&'static str),
}

impl Resolved {
    /// What to warn of, if anything, of a reference that `what` names, for example `scope`.
    pub fn warning(&self, what: &str) -> Option<String> {
        let (kind, named) = (self.reference.kind.replace('_', " "), &self.reference.named);
        let named = wire::text::quoted(named);
        Some(match &self.standing {
            Standing::There => return None,
            Standing::Gone => format!("{what} refers to {kind} `{named}`, which was deleted"),
            Standing::Unknown(hint) => {
                format!("{what} refers to {kind} `{named}`, which does not exist{hint}")
            }
            Standing::Unchecked(service) => {
                let why = format!("{service} does not answer");
                format!("{what} refers to {kind} `{named}`, which could not be checked: {why}")
            }
        })
    }

    /// True when the owner knows nothing of that name.
    pub fn is_unknown(&self) -> bool {
        matches!(self.standing, Standing::Unknown(_) | Standing::Gone)
    }

    /// The hint at a near name, or at some there are; empty without.
    pub fn hint(&self) -> &str {
        match &self.standing {
            Standing::Unknown(hint) => hint,
            _ => "",
        }
    }
}

impl Names {
    /// The names of these logs.
    pub fn new(followers: Vec<Follower>) -> Self {
        Self(Arc::new(followers))
    }

    /// The follower of the log that holds this kind.
    pub fn of_kind(&self, kind: &str) -> Option<&Follower> {
        self.0.iter().find(|follower| follower.holds(kind))
    }

    /// The followers of the logs.
    pub fn followers(&self) -> &[Follower] {
        &self.0
    }

    /// What each log names now. Each owner is asked once.
    pub async fn all_now(&self, tenant: &str) -> Vec<(&Follower, Heard)> {
        let asked =
            self.0.iter().map(|follower| async move { (follower, follower.now(tenant).await) });
        join_all(asked).await
    }

    /// Resolves what a resource refers to, kind by kind: what it meant `before`, it still means.
    /// Each owner is asked once.
    pub async fn resolve(
        &self,
        tenant: &str,
        wanted: impl IntoIterator<Item = (&'static str, String)>,
        before: &[Reference],
    ) -> Vec<Resolved> {
        let mut seen = BTreeSet::new();
        let mut wanted: Vec<_> = wanted.into_iter().collect();
        wanted.retain(|(kind, named)| seen.insert((*kind, folded(named))));
        let wanted_kinds: BTreeSet<_> = wanted.iter().map(|(kind, _)| *kind).collect();
        let wanted_kinds = &wanted_kinds;
        let asked = self.0.iter().map(|follower| async move {
            let is_wanted = wanted_kinds.iter().any(|kind| follower.holds(kind));
            if is_wanted { Some(follower.now(tenant).await) } else { None }
        });
        let heard: Vec<_> = join_all(asked).await;
        let mut hints = Hints::default();
        let resolved = wanted.into_iter().map(|(kind, named)| {
            let mut places = self.0.iter().zip(&heard);
            let place = places.find_map(|(follower, heard)| {
                follower.holds(kind).then_some((follower.service(), heard.as_ref()?))
            });
            resolved(kind, named, before, place, &mut hints)
        });
        resolved.collect()
    }

    /// News of names that something may have waited for.
    pub fn news(&self) -> News {
        for follower in self.0.iter() {
            follower.known(DEFAULT_TENANT);
        }
        News {
            receivers: self.0.iter().map(Follower::news).collect(),
            names: self.clone(),
            is_first: true,
        }
    }

    /// The id of what a reference without one means now.
    pub(crate) fn appeared(&self, tenant: &str, reference: &Reference) -> Option<String> {
        if !reference.id.is_empty() {
            return None;
        }
        let directory = self.of_kind(&reference.kind)?.known(tenant);
        directory.find(&reference.kind, &reference.named).map(str::to_owned)
    }
}

/// Waits for names to appear.
#[derive(Debug)]
pub struct News {
    names: Names,
    receivers: Vec<watch::Receiver<()>>,
    is_first: bool,
}

impl News {
    /// The tenants to look at, at once the first time, then whenever a name appeared.
    pub async fn tenants(&mut self) -> BTreeSet<String> {
        if !std::mem::take(&mut self.is_first) {
            let changed = self.receivers.iter_mut().map(|news| Box::pin(news.changed()));
            drop(select_all(changed).await);
        }
        // What comes from here on is seen the next time.
        self.receivers.iter_mut().for_each(watch::Receiver::mark_unchanged);
        self.names.0.iter().flat_map(Follower::tenants).collect()
    }
}

/// One reference as its owner, which was heard, knows it.
fn resolved(
    kind: &'static str,
    named: String,
    before: &[Reference],
    place: Option<(&'static str, &Heard)>,
    hints: &mut Hints,
) -> Resolved {
    let bound = wire::reference::bound(before, kind, &named).map(str::to_owned);
    let is_current = place.is_some_and(|(_, heard)| heard.is_current);
    let directory: Option<&Directory> = place.map(|(_, heard)| &*heard.directory);
    let found = directory.and_then(|known| known.find(kind, bound.as_deref().unwrap_or(&named)));
    let standing = match (found, is_current) {
        (Some(_), _) => Standing::There,
        (None, true) if bound.is_some() => Standing::Gone,
        (None, true) => Standing::Unknown(
            directory.map_or_else(String::new, |known| hints.hint(&named, known.names(kind))),
        ),
        (None, false) => Standing::Unchecked(place.map_or("its owner", |(service, _)| service)),
    };
    let id = bound.or_else(|| found.map(str::to_owned)).unwrap_or_default();
    Resolved { reference: Reference { kind: kind.to_owned(), named, id }, standing }
}
