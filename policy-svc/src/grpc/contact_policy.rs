//! ContactPolicyService.

use history::{Author, Collection, HistoryError, Resource as _};
use proffer_proto::{
    policy::v1::{self as proto, contact_policy_service_server::ContactPolicyService},
    values::v1::ResourceStatus,
};
use serve::metadata;
use tonic::{Request, Response, Status};

use super::{Context, channel::too_many};
use crate::{
    domain::{configuration::POLICIES_MAX, contact_policy::ContactPolicy, scope::Scope},
    messages::contact_policy as messages,
};

/// The contact policies of a tenant.
pub struct ContactPolicies(pub Context);

/// The scope of a policy that names none.
const SCOPE_DEFAULT: &str = "global";

/// The resource with what nobody said filled in, and as rules use it; or all its faults.
fn checked(
    mut resource: proto::ContactPolicy,
) -> Result<(proto::ContactPolicy, ContactPolicy), HistoryError> {
    messages::settle_spend(&mut resource);
    let mut faults = Collection::common_faults(&resource);
    let policy = match messages::policy(&resource) {
        Ok(policy) if faults.is_empty() => policy,
        found => {
            let found = found.err().unwrap_or_default();
            faults.extend(
                found
                    .into_iter()
                    .map(|(path, message)| (format!("contact_policy.{path}"), message)),
            );
            return Err(HistoryError::Invalid(faults));
        }
    };
    if resource.status() == ResourceStatus::Unspecified {
        resource.set_status(ResourceStatus::Active);
    }
    if resource.scope.trim().is_empty() {
        resource.scope = SCOPE_DEFAULT.to_owned();
    }
    Ok((resource, policy))
}

impl ContactPolicies {
    /// Channels the scope names and nobody created. Categories and offers are not known here.
    async fn warnings(
        &self,
        tenant: &str,
        written: &str,
        mut policy: ContactPolicy,
    ) -> Result<Vec<String>, HistoryError> {
        let configuration = self.0.configurations.newest(tenant).await?;
        policy.scope.resolve(&configuration.channels);
        let dangling = policy.scope.dangling_channels();
        let dangling = dangling
            .iter()
            .map(|named| format!("scope names channel `{named}`, which does not exist"));
        let scope = Scope::parse(written).unwrap_or_default();
        let ignored = policy.kind.ignored(&scope).map(str::to_owned);
        Ok(dangling.chain(ignored).collect())
    }
}

#[tonic::async_trait]
impl ContactPolicyService for ContactPolicies {
    async fn create_contact_policy(
        &self,
        request: Request<proto::CreateContactPolicyRequest>,
    ) -> Result<Response<proto::CreateContactPolicyResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let (resource, policy) = checked(request.into_inner().contact_policy.unwrap_or_default())?;
        if self.0.policies.all(&author.tenant).await?.len() >= POLICIES_MAX {
            return Err(too_many("contact_policy", POLICIES_MAX).into());
        }
        let warnings = self.warnings(&author.tenant, &resource.scope, policy).await?;
        let mut stored = self.0.policies.create(&author, resource).await?;
        stored.warn(warnings);
        Ok(Response::new(proto::CreateContactPolicyResponse { contact_policy: Some(stored) }))
    }

    async fn get_contact_policy(
        &self,
        request: Request<proto::GetContactPolicyRequest>,
    ) -> Result<Response<proto::GetContactPolicyResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let found = self.0.policies.get(&tenant, &request.into_inner().id).await?;
        Ok(Response::new(proto::GetContactPolicyResponse { contact_policy: Some(found) }))
    }

    async fn list_contact_policies(
        &self,
        request: Request<proto::ListContactPoliciesRequest>,
    ) -> Result<Response<proto::ListContactPoliciesResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let page = self.0.policies.list(&tenant, request.page_size, &request.page_token).await?;
        let (contact_policies, next_page_token) = (page.items, page.next);
        Ok(Response::new(proto::ListContactPoliciesResponse { contact_policies, next_page_token }))
    }

    async fn update_contact_policy(
        &self,
        request: Request<proto::UpdateContactPolicyRequest>,
    ) -> Result<Response<proto::UpdateContactPolicyResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let request = request.into_inner();
        let paths = request.update_mask.unwrap_or_default().paths;
        let patch = request.contact_policy.unwrap_or_default();
        let mut draft = self.0.policies.merge(&author.tenant, &request.id, patch, &paths).await?;
        let (resource, policy) = checked(draft.resource)?;
        let warnings = self.warnings(&author.tenant, &resource.scope, policy).await?;
        draft.resource = resource;
        let mut stored = self.0.policies.update(&author, draft).await?;
        stored.warn(warnings);
        Ok(Response::new(proto::UpdateContactPolicyResponse { contact_policy: Some(stored) }))
    }

    async fn delete_contact_policy(
        &self,
        request: Request<proto::DeleteContactPolicyRequest>,
    ) -> Result<Response<proto::DeleteContactPolicyResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let request = request.into_inner();
        self.0.policies.delete(&author, &request.id, &request.etag).await?;
        Ok(Response::new(proto::DeleteContactPolicyResponse {}))
    }
}
