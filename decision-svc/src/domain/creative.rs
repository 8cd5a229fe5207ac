//! Creatives: the content of an offer's message on a channel and in a placement, and how one is
//! matched.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::domain::{
    scalar::Fields,
    snapshot::{Catalog, Creative, Policy, folded, is_named},
};

/// Which creatives fit by their placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacementMatch {
    /// Those of the request's placement, and those of none.
    Any,
    /// Those of the request's placement alone; all when it names none.
    Exact,
    /// All.
    None,
}

/// Channel and placement of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surface {
    /// Id and name of the channel, each as creatives may name it; none without a channel.
    pub channel: Option<(String, String)>,
    /// The placement as the request names it; empty without.
    pub placement: String,
}

/// A creative that may be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadyCreative {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The channel as it names it; empty for all.
    channel: String,
    /// Id and name of the placement; both are the raw reference when no such placement is stored.
    /// `None` fits any.
    placement: Option<(String, String)>,
    /// The placement as it names it.
    pub placement_named: String,
    /// What is said.
    pub content: Fields,
}

impl Surface {
    /// The surface of a request: its channel as policy-svc knows it, else as it is named.
    pub fn of(channel: &str, policy: Option<&Policy>, placement: &str) -> Self {
        let names = match policy.and_then(|policy| policy.channel(channel)) {
            Some(known) => (known.id.clone(), known.name.clone()),
            None => (channel.to_owned(), channel.to_owned()),
        };
        Self { channel: (!channel.is_empty()).then_some(names), placement: placement.to_owned() }
    }
}

/// The creatives of every offer, the heaviest first, then by id. Those of paused placements are
/// left out.
pub fn ready(catalog: &Catalog) -> BTreeMap<&str, Vec<Arc<ReadyCreative>>> {
    let mut by_offer: BTreeMap<&str, Vec<(f64, Arc<ReadyCreative>)>> = BTreeMap::new();
    let active = || catalog.creatives.values().filter(|creative| creative.is_active);
    if active().next().is_none() {
        return BTreeMap::new();
    }
    let named = catalog.offers.values().map(|offer| (folded(&offer.name), offer.id.as_str()));
    let named: HashMap<String, &str> = named.collect();
    for creative in active() {
        let by_id = catalog.offers.get_key_value(creative.offer.trim()).map(|(id, _)| &**id);
        let found = by_id.or_else(|| named.get(&folded(&creative.offer)).copied());
        let (Some(offer), Some(placement)) = (found, placement(creative, catalog)) else {
            continue;
        };
        let ready = ReadyCreative {
            id: creative.id.clone(),
            name: creative.name.clone(),
            channel: creative.channel.clone(),
            placement,
            placement_named: creative.placement_named.clone(),
            content: creative.content.clone(),
        };
        by_offer.entry(offer).or_default().push((creative.weight, Arc::new(ready)));
    }
    let ordered = by_offer.into_iter().map(|(offer, mut creatives)| {
        creatives.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
        (offer, creatives.into_iter().map(|(_, creative)| creative).collect())
    });
    ordered.collect()
}

/// The placement a creative is bound to, if any; none when that placement is not in use.
fn placement(creative: &Creative, catalog: &Catalog) -> Option<Option<(String, String)>> {
    let named = &creative.placement;
    if named.trim().is_empty() {
        return Some(None);
    }
    let by_name =
        || catalog.placements.values().find(|stored| is_named(named, &stored.id, &stored.name));
    match catalog.placements.get(named.trim()).or_else(by_name) {
        Some(stored) if !stored.is_active => None,
        Some(stored) => Some(Some((stored.id.clone(), stored.name.clone()))),
        None => Some(Some((named.clone(), named.clone()))),
    }
}

/// The creative for a surface: the first that fits.
pub fn chosen<'c>(
    creatives: &'c [Arc<ReadyCreative>],
    placement: PlacementMatch,
    surface: &Surface,
) -> Option<&'c Arc<ReadyCreative>> {
    creatives.iter().find(|creative| {
        creative.fits_channel(surface) && creative.fits_placement(placement, surface)
    })
}

impl ReadyCreative {
    fn fits_channel(&self, surface: &Surface) -> bool {
        let is_it = |(id, name): &(String, String)| is_named(&self.channel, id, name);
        self.channel.trim().is_empty() || surface.channel.as_ref().is_some_and(is_it)
    }

    fn fits_placement(&self, how: PlacementMatch, surface: &Surface) -> bool {
        let wanted = &surface.placement;
        match (how, &self.placement) {
            (PlacementMatch::None, _) => true,
            (PlacementMatch::Exact, _) if wanted.is_empty() => true,
            (PlacementMatch::Exact, None) => false,
            (PlacementMatch::Any, None) => true,
            (_, Some((id, name))) => !wanted.is_empty() && is_named(wanted, id, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::snapshot::{Channel, Offer, Placement, Shared};

    fn catalog() -> Catalog {
        let creative = |id: &str, channel: &str, placement: &str, weight: f64| Creative {
            id: id.to_owned(),
            name: id.to_uppercase(),
            offer: "Jacket".to_owned(),
            channel: channel.to_owned(),
            placement: placement.to_owned(),
            placement_named: placement.to_owned(),
            content: Fields::new(),
            weight,
            is_active: true,
        };
        let placement = |id: &str, name: &str, is_active| Placement {
            id: id.into(),
            name: name.into(),
            is_active,
        };
        let creatives = [
            creative("a_mail", "email", "", 50.0),
            creative("b_banner", "web", "Home banner", 90.0),
            creative("c_web", "ch_web", "", 90.0),
            creative("d_free", "", "footer", 10.0),
            creative("e_closed", "web", "Closed", 100.0),
        ];
        let placements =
            [placement("plc_home", "home banner", true), placement("plc_closed", "Closed", false)];
        let offer = Offer {
            id: "off_jacket".into(),
            name: "Jacket".into(),
            is_active: true,
            ..Offer::default()
        };
        Catalog {
            offers: Shared::from_iter([(offer.id.as_str().into(), Arc::new(offer))]),
            creatives: creatives.into_iter().map(|it| (it.id.as_str().into(), it.into())).collect(),
            placements: placements.into_iter().map(|it| (it.id.clone(), it)).collect(),
            ..Catalog::default()
        }
    }

    fn check(how: PlacementMatch, channel: &str, placement: &str, expected: &str) {
        let catalog = catalog();
        let ready = ready(&catalog);
        let web = Channel { id: "ch_web".into(), name: "Web".into(), timezone_source: Vec::new() };
        let policy =
            Policy { channels: BTreeMap::from([(web.id.clone(), web)]), ..Policy::default() };
        let surface = Surface::of(channel, Some(&policy), placement);
        let found = chosen(&ready["off_jacket"], how, &surface).map_or("", |it| &it.id);
        assert_eq!(found, expected, "{how:?} {channel} {placement}");
    }

    #[test]
    fn the_heaviest_that_fits_the_channel_is_chosen_then_the_lowest_id() {
        check(PlacementMatch::None, "web", "", "b_banner");
        check(PlacementMatch::Any, "web", "", "c_web");
        check(PlacementMatch::None, "email", "", "a_mail");
        check(PlacementMatch::None, "sms", "", "d_free");
        check(PlacementMatch::None, "", "", "d_free");
    }

    #[test]
    fn the_placement_is_matched_as_the_node_says() {
        check(PlacementMatch::Any, "web", "plc_home", "b_banner");
        check(PlacementMatch::Any, "web", "HOME BANNER", "b_banner");
        check(PlacementMatch::Any, "web", "sidebar", "c_web");
        check(PlacementMatch::Exact, "web", "sidebar", "");
        check(PlacementMatch::Exact, "web", "footer", "d_free");
        check(PlacementMatch::Exact, "web", "", "b_banner");
        check(PlacementMatch::Exact, "email", "plc_home", "");
    }

    #[test]
    fn a_placement_that_is_not_in_use_takes_its_creatives_along() {
        check(PlacementMatch::Exact, "web", "Closed", "");
    }
}
