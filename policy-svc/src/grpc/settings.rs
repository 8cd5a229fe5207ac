//! SettingsService: each tenant has one resource of settings, which exists from the start.

use history::{Draft, Resource as _, ResourceKind, crud};
use proffer_proto::policy::v1::{
    self as proto, TenantSettings, settings_service_server::SettingsService,
};
use tonic::{Request, Response, Status};
use wire::named::FIELD;

use super::Context;
use crate::{
    domain::settings::{COUNTRY_FIELD_DEFAULT, field_name},
    messages::settings::{rule_settings, with_defaults},
};

/// The settings of a tenant.
pub struct Settings(pub Context);

impl ResourceKind<Context> for TenantSettings {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        draft.resource = with_defaults(std::mem::take(&mut draft.resource));
        draft.add_faults(rule_settings(&draft.resource).err().unwrap_or_default());
        draft.refuse_faults()?;
        let settings = &draft.resource;
        // The default is read only for legal quiet hours.
        let is_read = !settings.legal_quiet_hours.is_empty();
        let is_default = settings.country_field == COUNTRY_FIELD_DEFAULT;
        if is_read || !is_default {
            let field = field_name(&settings.country_field).to_owned();
            let names = &draft.context.known.names;
            draft.refer(names, "countryField", vec![(FIELD, field)]).await;
        }
        Ok(())
    }

    fn initial() -> Option<Self> {
        Some(with_defaults(Self::default()))
    }
}

#[tonic::async_trait]
impl SettingsService for Settings {
    async fn get_settings(
        &self,
        request: Request<proto::GetSettingsRequest>,
    ) -> Result<Response<proto::GetSettingsResponse>, Status> {
        let settings = crud::get(&self.0, request.metadata(), TenantSettings::KIND).await?;
        Ok(Response::new(proto::GetSettingsResponse { settings: Some(settings) }))
    }

    async fn update_settings(
        &self,
        request: Request<proto::UpdateSettingsRequest>,
    ) -> Result<Response<proto::UpdateSettingsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let (patch, is_trial) = ((request.settings, request.update_mask), request.validate_only);
        let kind = TenantSettings::KIND;
        let settings = crud::update(&self.0, &metadata, kind, patch, is_trial).await?;
        Ok(Response::new(proto::UpdateSettingsResponse { settings: Some(settings) }))
    }
}
