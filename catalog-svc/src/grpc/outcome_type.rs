//! OutcomeTypeService: the checks of outcome types, and the built-in types; create, get, list,
//! update and delete are in `history`.

use history::{Draft, ResourceKind, ServiceContext as _};
use proffer_proto::catalog::v1::{
    self as proto, OutcomeType, outcome_type_service_server::OutcomeTypeService,
};
use tonic::Status;

use super::Context;
use crate::domain::outcome_type::{
    Classification, OutcomeCategory, SYSTEM_TYPES, SystemType, counts_as_contact,
};

/// The outcome types of a tenant: the ten that every tenant has, and its own.
pub struct OutcomeTypes(pub Context);

impl ResourceKind<Context> for OutcomeType {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        let resource = &mut draft.resource;
        resource.is_system = false;
        let mut faults = Vec::new();
        if resource.key.is_empty() {
            faults.push(("key", "is required"));
        }
        let classification = proto::Classification::try_from(resource.classification);
        if !matches!(classification, Ok(known) if known != proto::Classification::Unspecified) {
            faults.push(("classification", "must be one of positive, negative, neutral"));
        }
        match category(resource) {
            Some(category) => {
                let default = counts_as_contact(&resource.key, category);
                resource.counts_as_contact.get_or_insert(default);
            }
            None => faults.push(("category", "must be one of impression, response")),
        }
        faults.extend(
            draft.stored.as_ref().map(|stored| fixed(stored, &draft.resource)).unwrap_or_default(),
        );
        draft.add_faults(faults);
        Ok(())
    }

    async fn losses(context: &Context, tenant: &str, stored: &Self) -> Result<Vec<String>, Status> {
        let metrics = context.stored::<proto::BehavioralMetric>().all(tenant).await?;
        let counts = metrics.into_iter().filter(|metric| metric.outcome == stored.key);
        let sentence = |metric: proto::BehavioralMetric| {
            let (metric, key) = (metric.key, &stored.key);
            format!("behavioral metric `{metric}` counts `{key}`: no new outcome is of that type")
        };
        Ok(counts.map(sentence).collect())
    }

    fn built_in() -> Vec<Self> {
        SYSTEM_TYPES.iter().map(system).collect()
    }

    /// A deleted key comes back when it means the same: outcomes recorded under it still exist.
    fn may_revive(deleted: &Self, again: &Self) -> bool {
        (deleted.classification, deleted.category) == (again.classification, again.category)
    }
}

/// What an update may not change: outcomes are recorded under it.
fn fixed(stored: &OutcomeType, changed: &OutcomeType) -> Vec<(&'static str, &'static str)> {
    let message = "cannot change: outcomes are recorded under it; create another key instead";
    let parts = [
        ("classification", stored.classification == changed.classification),
        ("category", stored.category == changed.category),
        ("counts_as_contact", stored.counts_as_contact == changed.counts_as_contact),
    ];
    parts.into_iter().filter(|(_, is_same)| !is_same).map(|(field, _)| (field, message)).collect()
}

fn category(resource: &OutcomeType) -> Option<OutcomeCategory> {
    match proto::OutcomeCategory::try_from(resource.category) {
        Ok(proto::OutcomeCategory::Impression) => Some(OutcomeCategory::Impression),
        Ok(proto::OutcomeCategory::Response) => Some(OutcomeCategory::Response),
        Ok(proto::OutcomeCategory::Unspecified) | Err(_) => None,
    }
}

/// A system type as messages carry it.
pub fn system(of_type: &SystemType) -> OutcomeType {
    let classification = match of_type.classification {
        Classification::Positive => proto::Classification::Positive,
        Classification::Negative => proto::Classification::Negative,
        Classification::Neutral => proto::Classification::Neutral,
    };
    let category = match of_type.category {
        OutcomeCategory::Impression => proto::OutcomeCategory::Impression,
        OutcomeCategory::Response => proto::OutcomeCategory::Response,
    };
    OutcomeType {
        key: of_type.key.to_owned(),
        name: of_type.name.to_owned(),
        description: of_type.description.to_owned(),
        classification: classification.into(),
        category: category.into(),
        is_system: true,
        counts_as_contact: Some(counts_as_contact(of_type.key, of_type.category)),
        ..Default::default()
    }
}

history::resource_service! {
    impl OutcomeTypeService for OutcomeTypes of OutcomeType as outcome_type, outcome_types by key {
        create create_outcome_type(CreateOutcomeTypeRequest) -> CreateOutcomeTypeResponse,
        get get_outcome_type(GetOutcomeTypeRequest) -> GetOutcomeTypeResponse,
        list list_outcome_types(ListOutcomeTypesRequest) -> ListOutcomeTypesResponse by [category],
        update update_outcome_type(UpdateOutcomeTypeRequest) -> UpdateOutcomeTypeResponse,
        delete delete_outcome_type(DeleteOutcomeTypeRequest) -> DeleteOutcomeTypeResponse,
    }
}
