//! OfferService.

use std::collections::BTreeSet;

use formula::rule::Literal;
use history::{Collection, Resource as _};
use proffer_proto::catalog::v1::{self as proto, offer_service_server::OfferService};
use prost_types::Timestamp;
use tonic::Status;

use super::{
    Context, configuration, creative,
    resource::{self, Checked, settle_status},
    rule,
    status::{invalid, within},
    value::{self, given, instant, literal},
};
use crate::domain::{
    Faults,
    check::check_offer,
    cost,
    field_value::FieldValue,
    mandate::{MANDATORY, Mandate},
    name::quoted,
    offer::{Affinity, Offer, PURPOSE_DEFAULT, RULES},
    schedule::{SCHEDULE, Schedule},
};

/// The offers of a tenant.
pub struct Offers(pub Context);

/// The offer as the domain knows it, and the faults of its values by path.
pub fn parse(found: &proto::Offer) -> (Offer, Faults) {
    let mut faults = Faults::new();
    let mut read = |path: String, value: Option<&proffer_proto::values::v1::Value>| {
        literal(value).unwrap_or_else(|message| {
            faults.push((path, message));
            // Stands for the faulty value, whose own fault is told.
            Literal::None
        })
    };
    let affinities = found.affinities.iter().enumerate().map(|(index, affinity)| Affinity {
        field: affinity.field.clone(),
        value: read(format!("affinities[{index}].value"), affinity.value.as_ref()),
    });
    let affinities = affinities.collect();
    let custom_fields = found.custom_fields.iter();
    let custom_fields = custom_fields.map(|(name, value)| {
        (name.clone(), read(format!("custom_fields.{}", quoted(name)), Some(value)))
    });
    let custom_fields = custom_fields.collect();
    if let Some(Err(message)) = found.cost.as_ref().map(|value| cost::exact(&given(value))) {
        faults.push(("cost".to_owned(), message));
    }
    let rules = rule::rules(RULES, &found.qualification_rules, &mut faults);
    let offer = Offer {
        id: found.id.clone(),
        category: found.category.clone(),
        subcategory: found.subcategory.clone(),
        purpose: found.purpose.clone(),
        priority: found.priority,
        business_value: found.business_value,
        margin: found.margin,
        affinities,
        rules,
        custom_fields,
        schedule: found.schedule.as_ref().and_then(|found| schedule(found, &mut faults)),
        mandatory: found.mandatory.as_ref().map(|found| mandate(found, &mut faults)),
    };
    (offer, faults)
}

/// None when an instant is at fault, so that nothing is said of what follows from it.
fn schedule(found: &proto::Schedule, faults: &mut Faults) -> Option<Schedule> {
    let count = faults.len();
    let mut read = |part: &str, at: Option<&Timestamp>| {
        let read = at.map(instant).transpose();
        read.unwrap_or_else(|message| {
            faults.push((format!("{SCHEDULE}.{part}"), message));
            None
        })
    };
    let (starts_at, ends_at) = (found.starts_at.as_ref(), found.ends_at.as_ref());
    let schedule =
        Schedule { starts_at: read("starts_at", starts_at), ends_at: read("ends_at", ends_at) };
    (faults.len() == count).then_some(schedule)
}

fn mandate(found: &proto::Mandate, faults: &mut Faults) -> Mandate {
    let expires_at = found.expires_at.as_ref().map(instant).transpose().unwrap_or_else(|message| {
        faults.push((format!("{MANDATORY}.expires_at"), message));
        None
    });
    Mandate { reason: found.reason.clone(), expires_at }
}

/// Fills in what was left out and brings values into the form in which they are stored.
fn settle(resource: &mut proto::Offer) {
    if resource.purpose.is_empty() {
        resource.purpose = PURPOSE_DEFAULT.to_owned();
    }
    // What is no cost stays as it is and is refused by `parse`.
    if let Some(Ok(settled)) = resource.cost.as_ref().map(|value| cost::exact(&given(value))) {
        resource.cost = settled.map(|text| value::into_proto(FieldValue::Decimal(text)));
    }
    resource.qualification_rules.iter_mut().for_each(rule::settle);
    resource.affinities.iter_mut().flat_map(|affinity| &mut affinity.value).for_each(value::settle);
    resource.custom_fields.values_mut().for_each(value::settle);
}

impl Checked for proto::Offer {
    fn collection(context: &Context) -> &Collection<Self> {
        &context.offers
    }

    async fn check(
        context: &Context,
        tenant: &str,
        resource: &mut Self,
        stored: Option<&Self>,
    ) -> Result<Vec<String>, Status> {
        let mut faults: Faults = Collection::common_faults(resource);
        settle_status(Self::KIND, &mut resource.status, &mut faults);
        settle(resource);
        let (offer, mut found) = parse(resource);
        found.extend(offer.faults());
        let before = stored.and_then(|stored| parse(stored).0.mandatory);
        let mandate = offer.mandatory.iter();
        found.extend(
            mandate.flat_map(|mandate| mandate.faults(before.as_ref(), context.clock.now())),
        );
        let catalogue = configuration::catalogue(context, tenant).await?;
        let report = configuration::aside(move || check_offer(&catalogue, &offer)).await?;
        found.extend(report.faults);
        faults.extend(within(Self::KIND, first_by_path(found)));
        if !faults.is_empty() {
            return Err(invalid(faults));
        }
        let mut warnings = report.warnings;
        warnings.extend(
            creative::left_behind(context, tenant, resource, stored, |creative| &creative.offer)
                .await?,
        );
        Ok(warnings)
    }
}

/// One fault per path: what follows from a fault is none of its own.
fn first_by_path(faults: Faults) -> Faults {
    let mut seen = BTreeSet::new();
    faults.into_iter().filter(|(path, _)| seen.insert(path.clone())).collect()
}

resource::service! {
    impl OfferService for Offers of Offer as offer, offers {
        create_offer(CreateOfferRequest) -> CreateOfferResponse,
        get_offer(GetOfferRequest) -> GetOfferResponse,
        list_offers(ListOffersRequest) -> ListOffersResponse,
        update_offer(UpdateOfferRequest) -> UpdateOfferResponse,
        delete_offer(DeleteOfferRequest) -> DeleteOfferResponse,
    }
}
