//! CategoryService: the checks of categories; create, get, list, update and delete are in
//! `history`.

use history::{Draft, ResourceKind};
use proffer_proto::catalog::v1::{self as proto, category_service_server::CategoryService};
use tonic::Status;
use wire::output_type;

use super::{Context, blocking, catalogue, parse};
use crate::domain::{
    Faults, breakage::breakage, catalogue::Catalogue, category::Category, check::check_category,
    offer::Offer,
};

/// The categories of a tenant.
pub struct Categories(pub Context);

impl ResourceKind<Context> for proto::Category {
    fn count_max(context: &Context) -> Option<usize> {
        Some(context.limits.max_categories as usize)
    }

    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        draft.add_faults(unknown_output_types(&draft.resource));
        let edited = parse::category(&draft.resource);
        let own_faults = edited.faults();
        let is_countable = own_faults.is_empty();
        draft.add_faults(own_faults);
        // Names given twice or formulas without number would make every further fault a riddle.
        if !is_countable {
            return draft.refuse_faults();
        }
        let (context, tenant) = (draft.context, draft.tenant());
        let before = catalogue::catalogue(context, tenant).await?;
        let offers = catalogue::offers(context, tenant).await?;
        let (faults, warnings) = blocking(move || judge(&before, edited, &offers)).await?;
        draft.add_faults(faults);
        draft.warn(warnings);
        Ok(())
    }

    async fn losses(context: &Context, tenant: &str, stored: &Self) -> Result<Vec<String>, Status> {
        let before = catalogue::catalogue(context, tenant).await?;
        let offers = catalogue::offers(context, tenant).await?;
        let id = stored.id.clone();
        let lost = move || breakage(&before, &before.without_category(&id), &offers, None).warnings;
        blocking(lost).await
    }
}

fn unknown_output_types(resource: &proto::Category) -> Faults {
    let fields = resource.computed_fields.iter().enumerate();
    let unknown = fields.filter(|(_, field)| output_type::parse(field.output_type).is_none());
    unknown
        .map(|(index, _)| {
            (format!("computed_fields[{index}].output_type"), output_type::KNOWN.to_owned())
        })
        .collect()
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
        offers.iter().filter(|o| after.category(o.category_reference()) == Some(index)),
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

history::resource_service! {
    impl CategoryService for Categories of Category as category, categories by id {
        create create_category(CreateCategoryRequest) -> CreateCategoryResponse,
        get get_category(GetCategoryRequest) -> GetCategoryResponse,
        list list_categories(ListCategoriesRequest) -> ListCategoriesResponse by [status],
        update update_category(UpdateCategoryRequest) -> UpdateCategoryResponse,
        delete delete_category(DeleteCategoryRequest) -> DeleteCategoryResponse,
    }
}
