//! Converts the resource of a contact policy into the value that rules use.

use proffer_proto::{
    policy::v1::{self as proto, contact_policy::Rule},
    values::v1::{Reference, value::Kind},
};
use wire::reference;

use super::{channel::status_name, rule::kind};
use crate::domain::{
    Faults,
    contact_policy::{ContactPolicy, PolicyDraft},
};

/// The policy as rules use it, or all faults by path within the resource.
pub fn policy(resource: &proto::ContactPolicy) -> Result<ContactPolicy, Faults> {
    let mut faults = Faults::new();
    if status_name(resource.status).is_none() {
        faults.push(("status".to_owned(), format!("`{}` is not a status", resource.status)));
    }
    match ContactPolicy::parse(&draft(resource), kind(resource.rule.as_ref())) {
        Ok(policy) if faults.is_empty() => return Ok(bound(policy, &resource.references)),
        Ok(_) => {}
        Err(found) => faults.extend(found),
    }
    Err(faults)
}

/// The policy with the ids that its references are bound to.
fn bound(mut policy: ContactPolicy, references: &[Reference]) -> ContactPolicy {
    policy.scope.bind(|kind, named| reference::bound(references, kind, named).map(str::to_owned));
    let meant = |kind: &str, named: &str| reference::meant(references, kind, named);
    let kind = policy.kind.bound(&meant);
    ContactPolicy { kind: kind.unwrap_or_else(|| policy.kind.clone()), ..policy }
}

fn draft(resource: &proto::ContactPolicy) -> PolicyDraft<'_> {
    PolicyDraft {
        id: &resource.id,
        name: &resource.name,
        revision: resource.revision,
        // A status this version does not know must not switch a policy off.
        is_active: status_name(resource.status).is_none_or(|status| status == "active"),
        scope: &resource.scope,
        priority: resource.priority,
    }
}

/// A stored policy. One that this version cannot read refuses everything in its scope.
pub fn stored(resource: &proto::ContactPolicy) -> ContactPolicy {
    policy(resource).unwrap_or_else(|_| {
        bound(ContactPolicy::unreadable(&draft(resource)), &resource.references)
    })
}

/// Stores an amount as a decimal number, however it was written.
pub fn settle_spend(resource: &mut proto::ContactPolicy) {
    let Some(Rule::Budget(proto::Budget { max_spend: Some(value), .. })) = &mut resource.rule
    else {
        return;
    };
    if let Ok(Some(text)) = wire::amount::exact(value) {
        value.kind = Some(Kind::DecimalValue(text));
    }
}
