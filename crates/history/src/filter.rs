//! What a list of resources is narrowed to, by fields of its request.

use proffer_proto::words;

use crate::{Collection, HistoryError, Listing, PAGE_BYTES_MAX, PAGE_MAX, Resource};

/// What a list is narrowed to by one field of its request.
pub struct Filter<R> {
    field: &'static str,
    /// What the field asks for, as page tokens are bound to it.
    wanted: String,
    holds: Box<dyn Fn(&R) -> bool + Send + Sync>,
}

impl<R: Resource> Filter<R> {
    /// Narrows to the resources for which `holds` is true. `wanted` tells two values of the field
    /// apart.
    pub fn new(
        field: &'static str,
        wanted: String,
        holds: impl Fn(&R) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { field, wanted, holds: Box::new(holds) }
    }

    /// Narrows to the resources whose enum `field` has this number; `None` for 0, which asks for
    /// nothing. A number that the contract does not know is a fault that names the known words.
    pub fn of_word(
        field: &'static str,
        number: i32,
        of: fn(&R) -> i32,
    ) -> Result<Option<Self>, HistoryError> {
        if number == 0 {
            return Ok(None);
        }
        let known = words::of_field(&R::full_name(), field);
        if known.iter().all(|(known, _)| *known != number) {
            let known: Vec<_> = known.into_iter().map(|(_, word)| word).collect();
            let message = format!("is {number}; it must be one of {}", known.join(", "));
            return Err(HistoryError::Invalid(vec![(field.to_owned(), message)]));
        }
        Ok(Some(Self::new(field, number.to_string(), move |resource| of(resource) == number)))
    }
}

/// The filters of one list; all must hold.
pub struct Filters<R>(Vec<Filter<R>>);

impl<R: Resource> Filters<R> {
    /// Those that are asked for.
    pub fn new(asked: impl IntoIterator<Item = Option<Filter<R>>>) -> Self {
        Self(asked.into_iter().flatten().collect())
    }

    /// The list of all resources for which they hold.
    pub(crate) fn listing(&self) -> Listing {
        let mut parts = vec![R::KIND];
        for filter in &self.0 {
            parts.extend([filter.field, &filter.wanted]);
        }
        Listing::new(&parts)
    }

    /// True when all hold.
    pub(crate) fn hold(&self, resource: &R) -> bool {
        self.0.iter().all(|filter| (filter.holds)(resource))
    }

    /// The resources for which they hold, with ids after `after`, by id, and whether there are
    /// more: at most `count`, fewer when they are large.
    pub(crate) async fn page(
        &self,
        collection: &Collection<R>,
        tenant: &str,
        after: &str,
        count: usize,
    ) -> Result<(Vec<R>, bool), HistoryError> {
        if self.0.is_empty() {
            return collection.page(tenant, after, count).await;
        }
        let page_max = usize::try_from(PAGE_MAX).unwrap_or(usize::MAX);
        let (mut page, mut bytes): (Vec<R>, usize) = (Vec::new(), 0);
        // The rarer they are, the more is read at once.
        let (mut after, mut at_once) = (after.to_owned(), count.saturating_add(1));
        loop {
            at_once = at_once.min(page_max);
            let (read, has_more) = collection.page(tenant, &after, at_once).await?;
            let Some(last) = read.last() else { return Ok((page, false)) };
            last.id().clone_into(&mut after);
            for resource in read.into_iter().filter(|resource| self.hold(resource)) {
                bytes += resource.encoded_len();
                if page.len() == count || (bytes > PAGE_BYTES_MAX && !page.is_empty()) {
                    return Ok((page, true));
                }
                page.push(resource);
            }
            if !has_more {
                return Ok((page, false));
            }
            at_once *= 2;
        }
    }
}
