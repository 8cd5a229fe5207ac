//! ContactPolicyService.

use history::{Draft, Kind};
use proffer_proto::policy::v1::{
    self as proto, contact_policy_service_server::ContactPolicyService,
};
use tonic::Status;

use super::{Context, configuration};
use crate::domain::{configuration::POLICIES_MAX, contact_policy::Rule, scope::Scope};

/// The contact policies of a tenant.
pub struct ContactPolicies(pub Context);

/// The scope of a policy that names none.
const SCOPE_DEFAULT: &str = "global";

impl Kind<Context> for proto::ContactPolicy {
    const COUNT_MAX: Option<usize> = Some(POLICIES_MAX);

    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        configuration::settle_spend(&mut draft.resource);
        let mut policy = match configuration::policy(&draft.resource) {
            Ok(policy) => policy,
            Err(faults) => {
                draft.add_faults(faults);
                return Ok(());
            }
        };
        draft.refuse_faults()?;
        if draft.resource.scope.trim().is_empty() {
            draft.resource.scope = SCOPE_DEFAULT.to_owned();
        }
        // Categories and offers are not known here.
        let configuration = draft.context.configuration(draft.tenant()).await?;
        policy.scope.resolve(&configuration.channels);
        let dangling = policy.scope.dangling_channels().into_iter();
        draft.warn(
            dangling.map(|named| format!("scope names channel `{named}`, which does not exist")),
        );
        draft.warn(ignored(&draft.resource.scope, &policy.rule));
        Ok(())
    }
}

/// What a rule ignores of the scope it was written with.
fn ignored(written: &str, rule: &Rule) -> Option<String> {
    let scope = Scope::parse(written).unwrap_or_default();
    match rule {
        Rule::CustomerTotalCap(_) if !scope.is_global() => Some(
            "customer_total_cap ignores its scope: it counts every contact and refuses every offer"
                .to_owned(),
        ),
        Rule::CrossChannelCap(_) if scope.names_channels() => Some(
            "cross_channel_cap ignores `channel:` in its scope: it counts on every channel"
                .to_owned(),
        ),
        _ => None,
    }
}

history::resource_service! {
    impl ContactPolicyService for ContactPolicies of ContactPolicy as contact_policy, contact_policies by id {
        create create_contact_policy(CreateContactPolicyRequest) -> CreateContactPolicyResponse,
        get get_contact_policy(GetContactPolicyRequest) -> GetContactPolicyResponse,
        list list_contact_policies(ListContactPoliciesRequest) -> ListContactPoliciesResponse,
        update update_contact_policy(UpdateContactPolicyRequest) -> UpdateContactPolicyResponse,
        delete delete_contact_policy(DeleteContactPolicyRequest) -> DeleteContactPolicyResponse,
    }
}
