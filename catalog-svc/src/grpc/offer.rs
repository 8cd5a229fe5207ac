//! OfferService: the checks of offers; create, get, list, update and delete are in `history`.

use std::collections::{BTreeMap, BTreeSet};

use history::{Draft, Filter, ResourceKind, ServiceContext as _};
use proffer_proto::catalog::v1::{self as proto, offer_service_server::OfferService};
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};
use wire::{
    amount,
    name::{folded, hint, is_named, is_same},
    named::CATEGORY,
    purpose, reference, rule, value,
};

use super::{Context, blocking, catalogue, creative, parse, value::into_proto};
use crate::domain::{Faults, check::check_offer, field_value::FieldValue, offer::COST};

/// The offers of a tenant.
pub struct Offers(pub Context);

/// Fills in what was left out and brings values into the form in which they are stored.
fn settle(resource: &mut proto::Offer) {
    resource.purpose = purpose::or_default(std::mem::take(&mut resource.purpose));
    // What is no cost stays as it is and is refused by `parse::offer`.
    if let Some(Ok(cost)) = resource.cost.as_ref().map(|value| amount::read(value, COST)) {
        resource.cost = cost.map(|parts| into_proto(FieldValue::Decimal(amount::text(parts))));
    }
    resource.qualification_rules.iter_mut().for_each(rule::settle);
    resource.affinities.iter_mut().flat_map(|affinity| &mut affinity.value).for_each(value::settle);
    resource.custom_fields.values_mut().for_each(value::settle);
}

impl ResourceKind<Context> for proto::Offer {
    fn count_max(context: &Context) -> Option<usize> {
        Some(context.limits.max_offers as usize)
    }

    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        settle(&mut draft.resource);
        let category = draft.resource.category.clone();
        if !category.trim().is_empty() {
            draft.bind(&draft.context.known.names, vec![(CATEGORY, category)]).await;
        }
        let (offer, mut faults) = parse::offer(&draft.resource);
        faults.extend(offer.faults());
        let before = draft.stored.as_ref().and_then(|stored| parse::offer(stored).0.mandatory);
        if let Some(mandate) = &offer.mandatory {
            faults.extend(mandate.faults(before.as_ref(), draft.author.at));
        }
        let catalogue = catalogue::catalogue(draft.context, draft.tenant()).await?;
        let report = blocking(move || check_offer(&catalogue, &offer)).await?;
        faults.extend(report.faults);
        draft.add_faults(first_by_path(faults));
        draft.refuse_faults()?;
        draft.warn(report.warnings);
        creative::warn_left_behind(draft, |creative| &creative.offer).await
    }

    async fn losses(context: &Context, tenant: &str, stored: &Self) -> Result<Vec<String>, Status> {
        creative::left_behind(context, tenant, stored, |creative| &creative.offer).await
    }
}

/// One fault per path: what follows from a fault is none of its own.
fn first_by_path(faults: Faults) -> Faults {
    let mut seen = BTreeSet::new();
    faults.into_iter().filter(|(path, _)| seen.insert(path.clone())).collect()
}

/// Narrows to the offers of a category. Offers may name one that does not exist; a name that not
/// even an offer gives is refused.
async fn of_category(
    context: &Context,
    metadata: &MetadataMap,
    request: &proto::ListOffersRequest,
) -> Result<Option<Filter<proto::Offer>>, Status> {
    let tenant = metadata::tenant(metadata)?;
    let named = request.category.trim().to_owned();
    if named.is_empty() {
        return Ok(None);
    }
    let meant =
        |offer: &proto::Offer| reference::meant(&offer.references, CATEGORY, &offer.category);
    if let Some(found) = context.stored::<proto::Category>().find(&tenant, &named).await? {
        let (id, name) = (found.id, found.name);
        let wanted = id.clone();
        let holds = move |offer: &proto::Offer| is_named(&meant(offer), &id, &name);
        return Ok(Some(Filter::new(CATEGORY, wanted, holds)));
    }
    let offers = context.stored::<proto::Offer>().all(&tenant).await?;
    let wanted = named.clone();
    let holds =
        move |offer: &proto::Offer| is_same(&offer.category, &wanted) || meant(offer) == wanted;
    if offers.iter().any(&holds) {
        return Ok(Some(Filter::new(CATEGORY, folded(&named), holds)));
    }
    let categories = context.stored::<proto::Category>().all(&tenant).await?;
    let is_unbound = |offer: &&proto::Offer| {
        reference::bound(&offer.references, CATEGORY, &offer.category).is_none()
    };
    let given = offers.iter().filter(is_unbound).map(|offer| offer.category.trim());
    let known = categories.iter().map(|category| category.name.trim()).chain(given);
    let known: BTreeMap<String, &str> = known.map(|name| (folded(name), name)).collect();
    let hint = hint(&named, known.values().copied());
    Err(Problem::not_found(CATEGORY, &wire::text::quoted(&named)).hint(&hint).into())
}

history::resource_service! {
    impl OfferService for Offers of Offer as offer, offers by id {
        create create_offer(CreateOfferRequest) -> CreateOfferResponse,
        get get_offer(GetOfferRequest) -> GetOfferResponse,
        list list_offers(ListOffersRequest) -> ListOffersResponse by [status] and of_category,
        update update_offer(UpdateOfferRequest) -> UpdateOfferResponse,
        delete delete_offer(DeleteOfferRequest) -> DeleteOfferResponse,
    }
}
