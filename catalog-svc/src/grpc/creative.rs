//! CreativeService: the checks of creatives; create, get, list, update and delete are in `history`.

use history::{Draft, Kind, ServiceContext as _};
use proffer_proto::catalog::v1::{self as proto, creative_service_server::CreativeService};
use tonic::Status;

use super::{Context, parse, value};
use crate::domain::{creative::WEIGHT_DEFAULT, name::quoted};

/// The creatives of a tenant.
pub struct Creatives(pub Context);

impl Kind<Context> for proto::Creative {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        draft.resource.weight.get_or_insert(WEIGHT_DEFAULT);
        draft.resource.content.values_mut().for_each(value::settle);
        let (creative, faults) = parse::creative(&draft.resource);
        draft.add_faults(faults);
        draft.add_faults(creative.faults());
        draft.refuse_faults()?;
        let (context, tenant) = (draft.context, draft.tenant());
        if context.stored::<proto::Offer>().find(tenant, &creative.offer).await?.is_none() {
            draft.warn([unknown("offer", &creative.offer)]);
        }
        let placements = context.stored::<proto::Placement>();
        if !creative.placement.is_empty()
            && placements.find(tenant, &creative.placement).await?.is_none()
        {
            draft.warn([unknown("placement", &creative.placement)]);
        }
        Ok(())
    }
}

fn unknown(kind: &str, named: &str) -> String {
    format!("{kind} `{}` does not exist: the creative is used once it does", quoted(named))
}

/// Warns of creatives that named the resource by its name before this edit, and that `named` name
/// nothing any more.
pub async fn warn_left_behind<R: Kind<Context>>(
    draft: &mut Draft<'_, Context, R>,
    named: fn(&proto::Creative) -> &str,
) -> Result<(), Status> {
    let edited = &draft.resource;
    let Some(before) =
        draft.stored.as_ref().filter(|before| !is_same_name(before.name(), edited.name()))
    else {
        return Ok(());
    };
    let (tenant, others) = (draft.tenant(), draft.context.stored::<R>());
    let mut warnings = Vec::new();
    for creative in draft.context.stored::<proto::Creative>().all(tenant).await? {
        let by = named(&creative);
        // An id comes before a name, and this one's id stays.
        if !is_same_name(by, before.name()) || by == edited.id() {
            continue;
        }
        let found = others.find(tenant, by).await?;
        if found.is_some_and(|found| found.id() == edited.id()) {
            let (id, kind, by) = (&creative.id, R::KIND, quoted(by));
            let broken = format!("creative `{id}` names {kind} `{by}`, which no longer exists");
            warnings.push(broken);
        }
    }
    draft.warn(warnings);
    Ok(())
}

/// True when both are one name: without regard to case and surrounding space.
fn is_same_name(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

history::resource_service! {
    impl CreativeService for Creatives of Creative as creative, creatives by id {
        create create_creative(CreateCreativeRequest) -> CreateCreativeResponse,
        get get_creative(GetCreativeRequest) -> GetCreativeResponse,
        list list_creatives(ListCreativesRequest) -> ListCreativesResponse,
        update update_creative(UpdateCreativeRequest) -> UpdateCreativeResponse,
        delete delete_creative(DeleteCreativeRequest) -> DeleteCreativeResponse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_any_case() {
        assert!(is_same_name(" Home HERO", "home hero"));
        assert!(!is_same_name("Home hero", "Homehero"));
    }
}
