//! OutcomeTypeService.

use history::{Author, Collection, HistoryError, Resource as _, page, token};
use proffer_proto::{
    catalog::v1::{self as proto, OutcomeType, outcome_type_service_server::OutcomeTypeService},
    errors::v1::ErrorReason,
};
use prost::Message as _;
use serve::{Problem, metadata};
use tonic::{Code, Request, Response, Status};

use super::{
    Context,
    resource::fit,
    status::{invalid, invalid_field, reference, refused},
};
use crate::domain::{
    Faults,
    outcome_type::{
        Category, Classification, SYSTEM_TYPES, SystemType, counts_as_contact, with_key, with_name,
    },
};

/// Begins the place of a system type in a page token; no key does.
const SYSTEM_MARK: char = '#';

/// The outcome types of a tenant: the ten that all have, and its own.
pub struct OutcomeTypes(pub Context);

/// A system type as messages carry it.
pub fn system(of_type: &SystemType) -> OutcomeType {
    let classification = match of_type.classification {
        Classification::Positive => proto::Classification::Positive,
        Classification::Negative => proto::Classification::Negative,
        Classification::Neutral => proto::Classification::Neutral,
    };
    let category = match of_type.category {
        Category::Impression => proto::OutcomeCategory::Impression,
        Category::Response => proto::OutcomeCategory::Response,
    };
    OutcomeType {
        key: of_type.key.to_owned(),
        name: of_type.name.to_owned(),
        description: of_type.description.to_owned(),
        classification: classification.into(),
        category: category.into(),
        is_system: true,
        counts_as_contact: Some(counts_as_contact(of_type.key, of_type.category)),
        created_at: None,
        warnings: Vec::new(),
    }
}

/// Fills in what was left out and checks the rest.
fn check(resource: &mut OutcomeType) -> Result<(), Status> {
    let mut faults: Faults = Collection::common_faults(resource);
    if resource.key.is_empty() {
        faults.push(("outcome_type.key".to_owned(), "is required".to_owned()));
    }
    let classification = proto::Classification::try_from(resource.classification);
    if !matches!(classification, Ok(known) if known != proto::Classification::Unspecified) {
        let message = "must be one of positive, negative, neutral";
        faults.push(("outcome_type.classification".to_owned(), message.to_owned()));
    }
    match proto::OutcomeCategory::try_from(resource.category) {
        Ok(proto::OutcomeCategory::Impression) => default_contact(resource, Category::Impression),
        Ok(proto::OutcomeCategory::Response) => default_contact(resource, Category::Response),
        Ok(proto::OutcomeCategory::Unspecified) | Err(_) => {
            faults.push((
                "outcome_type.category".to_owned(),
                "must be one of impression, response".to_owned(),
            ));
        }
    }
    resource.is_system = false;
    if faults.is_empty() { Ok(()) } else { Err(invalid(faults)) }
}

fn default_contact(resource: &mut OutcomeType, category: Category) {
    resource.counts_as_contact.get_or_insert(counts_as_contact(&resource.key, category));
}

fn taken(attribute: &'static str, value: &str) -> HistoryError {
    HistoryError::AlreadyExists { kind: OutcomeType::KIND, attribute, value: value.to_owned() }
}

impl OutcomeTypes {
    async fn create(
        &self,
        author: &Author,
        resource: OutcomeType,
    ) -> Result<OutcomeType, HistoryError> {
        if with_key(&resource.key).is_some() {
            return Err(taken("key", &resource.key));
        }
        if with_name(&resource.name).is_some() {
            return Err(taken("name", &resource.name));
        }
        match self.0.outcome_types.create(author, resource.clone()).await {
            Err(HistoryError::AlreadyExists { attribute: "key", .. }) => {
                self.revive(author, resource).await
            }
            created => created,
        }
    }

    /// Brings a deleted key back when it means the same: outcomes recorded under it are still
    /// there.
    async fn revive(
        &self,
        author: &Author,
        resource: OutcomeType,
    ) -> Result<OutcomeType, HistoryError> {
        let past = self
            .0
            .history
            .past(&author.tenant, OutcomeType::KIND, &resource.key, i64::MAX, 2)
            .await?;
        let mut payloads = past.iter().map(|entry| entry.payload.as_deref());
        let (Some(None), Some(Some(before))) = (payloads.next(), payloads.next()) else {
            return Err(taken("key", &resource.key));
        };
        let before = OutcomeType::decode(before).unwrap_or_default();
        if (before.classification, before.category) != (resource.classification, resource.category)
        {
            return Err(taken("key", &resource.key));
        }
        self.0.outcome_types.revive(author, resource).await
    }

    async fn list(
        &self,
        tenant: &str,
        page_size: i32,
        page_token: &str,
    ) -> Result<(Vec<OutcomeType>, String), Status> {
        let (size, after) = page(page_size, page_token).map_err(invalid)?;
        let size = usize::try_from(size).unwrap_or_default();
        let (mut items, custom_after) = match system_place(&after)? {
            None => (Vec::new(), after),
            Some(place) => {
                let items: Vec<_> =
                    SYSTEM_TYPES.iter().skip(place).take(size).map(system).collect();
                let reached = place + items.len();
                if reached < SYSTEM_TYPES.len() {
                    return Ok((items, token(&format!("{SYSTEM_MARK}{reached}"))));
                }
                (items, String::new())
            }
        };
        // One more than wanted tells whether there is a next page.
        let room = size - items.len();
        let found =
            self.0.history.list(tenant, OutcomeType::KIND, &custom_after, room as i64 + 1).await;
        let has_more = found.map_err(refused)?.len() > room;
        if room == 0 {
            let next = if has_more {
                token(&format!("{SYSTEM_MARK}{}", SYSTEM_TYPES.len()))
            } else {
                String::new()
            };
            return Ok((items, next));
        }
        let custom = self
            .0
            .outcome_types
            .list(tenant, room as i32, &token(&custom_after))
            .await
            .map_err(refused)?;
        let (mut custom, mut next) = (custom.items, custom.next);
        if let Some(last) = fit(&mut custom) {
            next = token(&last);
        }
        items.append(&mut custom);
        Ok((items, next))
    }
}

/// Where a page begins among the system types; none when it is past them.
fn system_place(after: &str) -> Result<Option<usize>, Status> {
    if after.is_empty() {
        return Ok(Some(0));
    }
    let Some(place) = after.strip_prefix(SYSTEM_MARK) else { return Ok(None) };
    match place.parse() {
        Ok(place) if place <= SYSTEM_TYPES.len() => Ok(Some(place)),
        _ => Err(invalid_field("page_token", "is not a token of an earlier page")),
    }
}

#[tonic::async_trait]
impl OutcomeTypeService for OutcomeTypes {
    async fn create_outcome_type(
        &self,
        request: Request<proto::CreateOutcomeTypeRequest>,
    ) -> Result<Response<proto::CreateOutcomeTypeResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let given = request.into_inner().outcome_type;
        let mut resource = given.ok_or_else(|| invalid_field(OutcomeType::KIND, "is required"))?;
        check(&mut resource)?;
        let outcome_type = Some(self.create(&author, resource).await.map_err(refused)?);
        Ok(Response::new(proto::CreateOutcomeTypeResponse { outcome_type }))
    }

    async fn get_outcome_type(
        &self,
        request: Request<proto::GetOutcomeTypeRequest>,
    ) -> Result<Response<proto::GetOutcomeTypeResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let named = request.into_inner().key;
        let outcome_type = match with_key(&named).or_else(|| with_name(&named)) {
            Some(found) => system(found),
            None => {
                let named = reference(OutcomeType::KIND, &named)?;
                self.0.outcome_types.get(&tenant, named).await.map_err(refused)?
            }
        };
        Ok(Response::new(proto::GetOutcomeTypeResponse { outcome_type: Some(outcome_type) }))
    }

    async fn list_outcome_types(
        &self,
        request: Request<proto::ListOutcomeTypesRequest>,
    ) -> Result<Response<proto::ListOutcomeTypesResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let (outcome_types, next_page_token) =
            self.list(&tenant, request.page_size, &request.page_token).await?;
        Ok(Response::new(proto::ListOutcomeTypesResponse { outcome_types, next_page_token }))
    }

    async fn delete_outcome_type(
        &self,
        request: Request<proto::DeleteOutcomeTypeRequest>,
    ) -> Result<Response<proto::DeleteOutcomeTypeResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let request = request.into_inner();
        if let Some(found) = with_key(&request.key).or_else(|| with_name(&request.key)) {
            let message =
                format!("outcome type `{}` is a system type and cannot be deleted", found.key);
            let problem =
                Problem::new(Code::FailedPrecondition, ErrorReason::SystemResource, message);
            return Err(problem.with("id", found.key).into());
        }
        let named = reference(OutcomeType::KIND, &request.key)?;
        self.0.outcome_types.delete(&author, named, &request.etag).await.map_err(refused)?;
        Ok(Response::new(proto::DeleteOutcomeTypeResponse {}))
    }
}
