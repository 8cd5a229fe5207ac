//! CategoryService.

use formula::OutputType;
use history::{Collection, Resource as _};
use proffer_proto::{
    catalog::v1::{self as proto, category_service_server::CategoryService},
    values::v1::ResourceStatus,
};
use tonic::Status;

use super::{
    Context, configuration,
    resource::{self, Checked, settle_status},
    status::{invalid, within},
};
use crate::domain::{
    Faults,
    breakage::breakage,
    catalogue::Catalogue,
    category::{Category, ComputedField},
    check::check_category,
    offer::Offer,
};

/// The categories of a tenant.
pub struct Categories(pub Context);

/// A stored category as names are resolved in it.
pub fn stored(found: &proto::Category) -> Category {
    let computed = |field: &proto::ComputedField| ComputedField {
        name: field.name.clone(),
        formula: field.formula.clone(),
        output: output_type(field.output_type).unwrap_or_default(),
    };
    Category {
        id: found.id.clone(),
        name: found.name.clone(),
        is_active: matches!(found.status(), ResourceStatus::Active | ResourceStatus::Unspecified),
        computed_fields: found.computed_fields.iter().map(computed).collect(),
    }
}

/// None for an unknown number; none within when it was left out.
fn output_type(number: i32) -> Option<Option<OutputType>> {
    Some(match proto::OutputType::try_from(number).ok()? {
        proto::OutputType::Unspecified => None,
        proto::OutputType::Integer => Some(OutputType::Integer),
        proto::OutputType::Number => Some(OutputType::Number),
        proto::OutputType::Decimal => Some(OutputType::Decimal),
        proto::OutputType::Boolean => Some(OutputType::Boolean),
        proto::OutputType::String => Some(OutputType::String),
        proto::OutputType::Text => Some(OutputType::Text),
        proto::OutputType::Date => Some(OutputType::Date),
    })
}

fn unknown_output_types(resource: &proto::Category) -> Faults {
    let known = "must be one of integer, number, decimal, boolean, string, text, date";
    let fields = resource.computed_fields.iter().enumerate();
    let unknown = fields.filter(|(_, field)| output_type(field.output_type).is_none());
    unknown
        .map(|(index, _)| (format!("computed_fields[{index}].output_type"), known.to_owned()))
        .collect()
}

impl Checked for proto::Category {
    fn collection(context: &Context) -> &Collection<Self> {
        &context.categories
    }

    async fn check(
        context: &Context,
        tenant: &str,
        resource: &mut Self,
        _stored: Option<&Self>,
    ) -> Result<Vec<String>, Status> {
        let mut faults: Faults = Collection::common_faults(resource);
        settle_status(Self::KIND, &mut resource.status, &mut faults);
        faults.extend(within(Self::KIND, unknown_output_types(resource)));
        let edited = stored(resource);
        let own_faults = within(Self::KIND, edited.faults());
        let is_countable = own_faults.is_empty();
        faults.extend(own_faults);
        // Names that stand twice or formulas without number would make every further fault a
        // riddle.
        if !is_countable {
            return Err(invalid(faults));
        }
        let before = configuration::catalogue(context, tenant).await?;
        let offers = configuration::offers(context, tenant).await?;
        let (found, warnings) =
            configuration::aside(move || judge(&before, edited, &offers)).await?;
        faults.extend(within(Self::KIND, found));
        if faults.is_empty() { Ok(warnings) } else { Err(invalid(faults)) }
    }
}

fn judge(before: &Catalogue, edited: Category, offers: &[Offer]) -> (Faults, Vec<String>) {
    let id = edited.id.clone();
    let after = before.with_category(edited);
    let Some(index) = after.categories().iter().position(|category| category.id == id) else {
        return Default::default();
    };
    let mut report = check_category(
        &after,
        index,
        offers.iter().filter(|o| after.category(&o.category) == Some(index)),
    );
    if report.faults.is_empty() {
        let broken = breakage(before, &after, offers, Some(&id));
        report.warnings.extend(broken.warnings);
        let endless = broken.endless.into_iter();
        report.faults.extend(
            endless.map(|message| ("computed_fields".to_owned(), format!("would break {message}"))),
        );
    }
    (report.faults, report.warnings)
}

resource::service! {
    impl CategoryService for Categories of Category as category, categories {
        create_category(CreateCategoryRequest) -> CreateCategoryResponse,
        get_category(GetCategoryRequest) -> GetCategoryResponse,
        list_categories(ListCategoriesRequest) -> ListCategoriesResponse,
        update_category(UpdateCategoryRequest) -> UpdateCategoryResponse,
        delete_category(DeleteCategoryRequest) -> DeleteCategoryResponse,
    }
}
