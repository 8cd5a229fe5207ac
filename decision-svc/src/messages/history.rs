//! Entries of a log as callers see them: each with what it changed, in the words of JSON.

use std::sync::LazyLock;

use history::timestamp;
use proffer_proto::{
    POOL,
    decision::v1::{HistoryAction, HistoryChange, HistoryEntry},
    json::{annotation::Annotations, change::changes, print, shape::Shapes},
    resource::{KINDS, Known},
    values::v1::{ConfigurationChange, LoggedEntry},
};
use prost_reflect::DynamicMessage;
use tonic::Status;

/// Changes that an entry lists.
const CHANGES_MAX: usize = 100;

/// How resources are written as JSON.
static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
    let mut shapes = Shapes::default();
    // INVARIANT: contracts without a plan fail the start of the gateway and the tests.
    if let Ok(annotations) = Annotations::of(&POOL) {
        for known in KINDS.iter() {
            let message = POOL.get_message_by_name(&known.message);
            drop(message.map(|message| shapes.add(&annotations, &message)));
        }
    }
    shapes
});

/// The entries, newest first, each against the one before it; `before` is that of the last.
pub fn entries(
    known: &Known,
    entries: &[LoggedEntry],
    before: Option<&LoggedEntry>,
) -> Result<Vec<HistoryEntry>, Status> {
    let mut now = json(known, entries.first())?;
    let mut printed = Vec::with_capacity(entries.len());
    for (place, logged) in entries.iter().enumerate() {
        let was = json(known, entries.get(place + 1).or(before))?;
        printed.push(entry(logged, was.as_deref(), now.as_deref()));
        now = was;
    }
    Ok(printed)
}

/// The resource that an entry left, as JSON; none when there was none.
fn json(known: &Known, logged: Option<&LoggedEntry>) -> Result<Option<String>, Status> {
    let change = logged.and_then(|logged| logged.change.as_ref());
    let Some(change) = change.filter(|change| !change.deleted) else { return Ok(None) };
    let no_plan = || serve::internal(&format!("no plan of {}", known.message));
    let shape = SHAPES.named(&known.message).ok_or_else(no_plan)?;
    let message = DynamicMessage::decode(shape.descriptor.clone(), change.resource.as_slice())
        .map_err(|error| serve::internal(&error))?;
    let text = String::from_utf8(print::message(&SHAPES, shape, &message));
    Ok(Some(text.map_err(|error| serve::internal(&error))?))
}

fn entry(logged: &LoggedEntry, was: Option<&str>, now: Option<&str>) -> HistoryEntry {
    let ConfigurationChange { revision, written_us, .. } =
        logged.change.clone().unwrap_or_default();
    let action = match (was, now) {
        (_, None) => HistoryAction::Delete,
        (None, Some(_)) => HistoryAction::Create,
        (Some(_), Some(_)) => HistoryAction::Update,
    };
    let mut changes = changes(was, now);
    let omitted_changes = changes.len().saturating_sub(CHANGES_MAX);
    changes.truncate(CHANGES_MAX);
    let changes = changes.into_iter();
    let changes = changes.map(|it| HistoryChange { path: it.path, was: it.was, now: it.now });
    let etag = now.map(|_| hex::encode(logged.hash.get(..8).unwrap_or_default()));
    HistoryEntry {
        revision,
        at: chrono::DateTime::from_timestamp_micros(written_us).map(timestamp),
        actor: logged.actor.clone(),
        action: action.into(),
        etag: etag.unwrap_or_default(),
        changes: changes.collect(),
        omitted_changes: i32::try_from(omitted_changes).unwrap_or(i32::MAX),
        hash: hex::encode(&logged.hash),
    }
}
