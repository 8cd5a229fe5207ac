//! ContactPolicyService: the checks of contact policies; create, get, list, update and delete are
//! in `history`.

use history::{Draft, ResourceKind};
use proffer_proto::policy::v1::{
    self as proto, contact_policy_service_server::ContactPolicyService,
};
use tonic::Status;

use super::Context;
use crate::{
    domain::{
        configuration::POLICIES_MAX,
        lapse::{lapsed_share, warning},
        scope::Scope,
    },
    messages::contact_policy as messages,
};

/// The contact policies of a tenant.
pub struct ContactPolicies(pub Context);

/// The scope of a policy that names none.
const SCOPE_DEFAULT: &str = "global";

impl ResourceKind<Context> for proto::ContactPolicy {
    fn count_max(_: &Context) -> Option<usize> {
        Some(POLICIES_MAX)
    }

    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        draft.resource.lapsed_share = None;
        messages::settle_spend(&mut draft.resource);
        let policy = match messages::policy(&draft.resource) {
            Ok(policy) => policy,
            Err(faults) => {
                // The status was checked before.
                draft.add_faults(faults.into_iter().filter(|(path, _)| path != "status"));
                return Ok(());
            }
        };
        let written = Scope::parse(&draft.resource.scope).unwrap_or_default();
        let fault = policy.kind.scope_fault(&written);
        draft.add_faults(fault.map(|message| ("scope".to_owned(), message.to_owned())));
        draft.refuse_faults()?;
        if draft.resource.scope.trim().is_empty() {
            draft.resource.scope = SCOPE_DEFAULT.to_owned();
        }
        let names = &draft.context.known.names;
        draft.refer(names, "scope", written.refers()).await;
        draft.refer(names, policy.kind.name(), policy.kind.refers()).await;
        Ok(())
    }

    /// Adds the share of lapsed reservations, with a warning when it is high.
    async fn show(context: &Context, tenant: &str, found: &mut Self) -> Result<(), Status> {
        let configuration = context.configurations.newest(tenant).await?;
        let policy = configuration.policies.iter().find(|policy| policy.id == found.id);
        let Some(policy) = policy else { return Ok(()) };
        let ended = context.lapses.ended(tenant).await;
        let ended = ended.map_err(|error| serve::store_status(&error))?;
        found.lapsed_share = lapsed_share(&policy.scope, &ended);
        found.warnings.extend(found.lapsed_share.and_then(warning));
        Ok(())
    }
}

history::resource_service! {
    impl ContactPolicyService for ContactPolicies
        of ContactPolicy as contact_policy, contact_policies by id {
        create create_contact_policy(CreateContactPolicyRequest) -> CreateContactPolicyResponse,
        get get_contact_policy(GetContactPolicyRequest) -> GetContactPolicyResponse,
        list list_contact_policies(ListContactPoliciesRequest) -> ListContactPoliciesResponse
            by [status],
        update update_contact_policy(UpdateContactPolicyRequest) -> UpdateContactPolicyResponse,
        delete delete_contact_policy(DeleteContactPolicyRequest) -> DeleteContactPolicyResponse,
    }
}
