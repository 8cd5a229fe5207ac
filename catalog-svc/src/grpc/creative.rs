//! CreativeService.

use std::collections::BTreeMap;

use formula::rule::Literal;
use history::{Collection, Resource as _};
use proffer_proto::catalog::v1::{self as proto, creative_service_server::CreativeService};
use prost::Message as _;
use tonic::Status;

use super::{
    Context,
    reference::{self, is_known},
    resource::{self, Checked, settle_status},
    status::{invalid, refused, within},
    value::{self, literal},
};
use crate::domain::{
    Faults,
    creative::{Creative, WEIGHT_DEFAULT, content_path},
    name::quoted,
};

/// The creatives of a tenant.
pub struct Creatives(pub Context);

/// The creative as the domain knows it, and the faults of its values by path.
fn parse(found: &proto::Creative) -> (Creative, Faults) {
    let mut faults = Faults::new();
    let mut content = BTreeMap::new();
    for (key, value) in &found.content {
        match literal(Some(value)) {
            Ok(value) => drop(content.insert(key.clone(), value)),
            Err(message) => {
                faults.push((content_path(key), message));
                // Stands for the faulty value, whose own fault is told, so that its key is counted
                // and judged.
                content.insert(key.clone(), Literal::Boolean(false));
            }
        }
    }
    let alone = proto::Creative { content: found.content.clone(), ..Default::default() };
    let creative = Creative {
        offer: found.offer.clone(),
        channel: found.channel.clone(),
        placement: found.placement.clone(),
        weight: found.weight.unwrap_or(WEIGHT_DEFAULT),
        content,
        content_bytes: alone.encoded_len(),
    };
    (creative, faults)
}

impl Checked for proto::Creative {
    fn collection(context: &Context) -> &Collection<Self> {
        &context.creatives
    }

    async fn check(
        context: &Context,
        tenant: &str,
        resource: &mut Self,
        _stored: Option<&Self>,
    ) -> Result<Vec<String>, Status> {
        let mut faults: Faults = Collection::common_faults(resource);
        settle_status(Self::KIND, &mut resource.status, &mut faults);
        resource.weight.get_or_insert(WEIGHT_DEFAULT);
        resource.content.values_mut().for_each(value::settle);
        let (creative, found) = parse(resource);
        faults.extend(within(Self::KIND, found));
        faults.extend(within(Self::KIND, creative.faults()));
        if !faults.is_empty() {
            return Err(invalid(faults));
        }
        let mut warnings = Vec::new();
        if !is_known(&context.offers, tenant, &resource.offer).await? {
            let offer = quoted(&resource.offer);
            warnings
                .push(format!("offer `{offer}` does not exist: the creative is used once it does"));
        }
        if !resource.placement.is_empty()
            && !is_known(&context.placements, tenant, &resource.placement).await?
        {
            let placement = quoted(&resource.placement);
            warnings.push(format!(
                "placement `{placement}` does not exist: the creative is used once it does"
            ));
        }
        Ok(warnings)
    }
}

/// Creatives that named a resource by the name it had before this edit, and by `named` name nothing
/// any more.
pub async fn left_behind<R: Checked>(
    context: &Context,
    tenant: &str,
    edited: &R,
    before: Option<&R>,
    named: fn(&proto::Creative) -> &str,
) -> Result<Vec<String>, Status> {
    let Some(before) =
        before.filter(|before| !reference::is_same_name(before.name(), edited.name()))
    else {
        return Ok(Vec::new());
    };
    let mut warnings = Vec::new();
    for creative in context.creatives.all(tenant).await.map_err(refused)? {
        let by = named(&creative);
        // An id comes before a name, and this one's id stays.
        if reference::is_same_name(by, before.name())
            && by != edited.id()
            && reference::id_of(R::collection(context), tenant, by).await?.as_deref()
                == Some(edited.id())
        {
            let (id, kind) = (&creative.id, R::KIND);
            warnings.push(format!(
                "creative `{id}` names {kind} `{}`, which no longer exists",
                quoted(by)
            ));
        }
    }
    Ok(warnings)
}

resource::service! {
    impl CreativeService for Creatives of Creative as creative, creatives {
        create_creative(CreateCreativeRequest) -> CreateCreativeResponse,
        get_creative(GetCreativeRequest) -> GetCreativeResponse,
        list_creatives(ListCreativesRequest) -> ListCreativesResponse,
        update_creative(UpdateCreativeRequest) -> UpdateCreativeResponse,
        delete_creative(DeleteCreativeRequest) -> DeleteCreativeResponse,
    }
}
