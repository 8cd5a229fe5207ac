//! SettingsService.

use history::{Author, Change, HistoryError, IdChoice, Write};
use proffer_proto::{
    mask,
    policy::v1::{self as proto, settings_service_server::SettingsService},
};
use prost::Message as _;
use serve::metadata;
use tonic::{Request, Response, Status};

use super::Context;
use crate::{
    configuration::SETTINGS,
    messages::settings::{rule_settings, with_defaults},
};

/// The settings of a tenant.
pub struct Settings(pub Context);

/// Tries until a change of single fields is not overtaken by another.
const TRIES_MAX: usize = 10;

impl Settings {
    /// Changes the fields in the mask; none when another write came in between.
    async fn change(
        &self,
        author: &Author,
        patch: &proto::TenantSettings,
        paths: &[String],
    ) -> Result<Option<proto::TenantSettings>, HistoryError> {
        let (before, etag) = self.0.configurations.settings(&author.tenant).await?;
        let merged = mask::apply(&before, patch, paths).map_err(|unknown| {
            HistoryError::Invalid(vec![(
                "update_mask".to_owned(),
                format!("names the unknown field `{}`", unknown.0),
            )])
        })?;
        let merged = with_defaults(merged);
        if let Err(faults) = rule_settings(&merged) {
            let faults =
                faults.into_iter().map(|(path, message)| (format!("settings.{path}"), message));
            return Err(HistoryError::Invalid(faults.collect()));
        }
        let (name, payload) = (SETTINGS.to_owned(), merged.encode_to_vec());
        let write = match etag {
            None => Write::Create { id: IdChoice::Given(SETTINGS.to_owned()), name, payload },
            expected => Write::Update { id: SETTINGS.to_owned(), name, payload, expected },
        };
        let change = Change {
            tenant: &author.tenant,
            actor: &author.actor,
            at: author.at,
            kind: SETTINGS,
            write,
        };
        match self.0.history.write(change).await {
            Ok(_) => Ok(Some(merged)),
            Err(HistoryError::StaleEtag { .. } | HistoryError::AlreadyExists { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

#[tonic::async_trait]
impl SettingsService for Settings {
    async fn get_settings(
        &self,
        request: Request<proto::GetSettingsRequest>,
    ) -> Result<Response<proto::GetSettingsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let (settings, _) = self.0.configurations.settings(&tenant).await?;
        Ok(Response::new(proto::GetSettingsResponse { settings: Some(settings) }))
    }

    async fn update_settings(
        &self,
        request: Request<proto::UpdateSettingsRequest>,
    ) -> Result<Response<proto::UpdateSettingsResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let request = request.into_inner();
        let paths = request.update_mask.unwrap_or_default().paths;
        let patch = request.settings.unwrap_or_default();
        for _ in 0..TRIES_MAX {
            if let Some(settings) = self.change(&author, &patch, &paths).await? {
                return Ok(Response::new(proto::UpdateSettingsResponse {
                    settings: Some(settings),
                }));
            }
        }
        Err(serve::unavailable("policy", &"the settings kept changing"))
    }
}
