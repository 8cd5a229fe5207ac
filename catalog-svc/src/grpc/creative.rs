//! CreativeService: the checks of creatives; create, get, list, update and delete are in `history`.

use history::{Draft, ResourceKind, ServiceContext as _};
use proffer_proto::catalog::v1::{self as proto, creative_service_server::CreativeService};
use tonic::Status;
use wire::{
    named::{CHANNEL, OFFER, PLACEMENT},
    reference,
};

use super::{Context, parse};
use crate::domain::{creative::WEIGHT_DEFAULT, name::quoted};

/// The creatives of a tenant.
pub struct Creatives(pub Context);

impl ResourceKind<Context> for proto::Creative {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        draft.resource.weight.get_or_insert(WEIGHT_DEFAULT);
        draft.resource.content.values_mut().for_each(wire::value::settle);
        let (creative, faults) = parse::creative(&draft.resource);
        draft.add_faults(faults);
        draft.add_faults(creative.faults());
        draft.refuse_faults()?;
        let (context, tenant) = (draft.context, draft.tenant());
        let names = &context.known.names;
        let (mut own, mut channel) = (vec![(OFFER, creative.offer.clone())], Vec::new());
        if !creative.placement.trim().is_empty() {
            own.push((PLACEMENT, creative.placement.clone()));
        }
        if !creative.channel.trim().is_empty() {
            channel.push((CHANNEL, creative.channel.clone()));
        }
        draft.bind(names, own).await;
        draft.refer(names, "creative", channel).await;
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
pub async fn warn_left_behind<R: ResourceKind<Context>>(
    draft: &mut Draft<'_, Context, R>,
    named: fn(&proto::Creative) -> &str,
) -> Result<(), Status> {
    let edited = &draft.resource;
    let Some(before) =
        draft.stored.as_ref().filter(|before| !wire::name::is_same(before.name(), edited.name()))
    else {
        return Ok(());
    };
    // An id comes before a name, and this one's id stays.
    let by_name = |creative: &proto::Creative| {
        let by = named(creative);
        by != edited.id() && reference::bound(&creative.references, R::KIND, by).is_none()
    };
    let warnings = lost(draft.context, draft.tenant(), before, named, by_name).await?;
    draft.warn(warnings);
    Ok(())
}

/// What a delete of the resource leaves: creatives that name it, by id or by name.
pub async fn left_behind<R: ResourceKind<Context>>(
    context: &Context,
    tenant: &str,
    stored: &R,
    named: fn(&proto::Creative) -> &str,
) -> Result<Vec<String>, Status> {
    lost(context, tenant, stored, named, |_| true).await
}

/// A sentence for each of those creatives that means this resource.
async fn lost<R: ResourceKind<Context>>(
    context: &Context,
    tenant: &str,
    resource: &R,
    named: fn(&proto::Creative) -> &str,
    is_asked: impl Fn(&proto::Creative) -> bool,
) -> Result<Vec<String>, Status> {
    let (mut sentences, others) = (Vec::new(), context.stored::<R>());
    for creative in context.stored::<proto::Creative>().all(tenant).await? {
        let by = named(&creative);
        let means = reference::meant(&creative.references, R::KIND, by);
        if !wire::name::is_named(&means, resource.id(), resource.name()) || !is_asked(&creative) {
            continue;
        }
        // An id comes before a name.
        if others.find(tenant, &means).await?.is_some_and(|found| found.id() == resource.id()) {
            let (id, kind, by) = (&creative.id, R::KIND, quoted(by));
            sentences
                .push(format!("creative `{id}` refers to {kind} `{by}`, which no longer exists"));
        }
    }
    Ok(sentences)
}

history::resource_service! {
    impl CreativeService for Creatives of Creative as creative, creatives by id {
        create create_creative(CreateCreativeRequest) -> CreateCreativeResponse,
        get get_creative(GetCreativeRequest) -> GetCreativeResponse,
        list list_creatives(ListCreativesRequest) -> ListCreativesResponse by [status],
        update update_creative(UpdateCreativeRequest) -> UpdateCreativeResponse,
        delete delete_creative(DeleteCreativeRequest) -> DeleteCreativeResponse,
    }
}
