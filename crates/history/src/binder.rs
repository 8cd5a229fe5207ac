//! Binds references to what has appeared since they were written.

use std::future::ready;

use tonic::{Code, Status};

use crate::{Author, Draft, Names, ResourceKind, ServiceContext, crud};

/// Who binds what was written before the resource it means.
const BINDER: &str = "proffer";

impl Names {
    /// Binds what resources of kind `R` refer to and what has appeared since they were written. The
    /// first error is returned when all were tried.
    pub async fn bind<C: ServiceContext, R: ResourceKind<C>>(
        &self,
        context: &C,
        tenant: &str,
    ) -> Result<(), Status> {
        let Some(own) = self.of_kind(R::KIND) else { return Ok(()) };
        let (own, mut failed) = (own.known(tenant), Ok(()));
        for (id, references) in own.unbound(R::KIND) {
            if !references.iter().any(|found| self.appeared(tenant, found).is_some()) {
                continue;
            }
            let (tenant_id, at) = (tenant.to_owned(), context.clock().now());
            let author = Author { tenant: tenant_id, actor: BINDER.to_owned(), at };
            let edit = |draft| ready(Ok(self.with_appeared(tenant, draft)));
            let written: Result<R, Status> = crud::rewrite(context, &author, id, "", edit).await;
            match written {
                Err(status) if status.code() != Code::NotFound => failed = failed.and(Err(status)),
                // It is bound, or was deleted in the meantime.
                _ => {}
            }
        }
        failed
    }

    /// The draft with ids for what has appeared.
    fn with_appeared<'a, C: ServiceContext, R: ResourceKind<C>>(
        &self,
        tenant: &str,
        mut draft: Draft<'a, C, R>,
    ) -> Draft<'a, C, R> {
        for reference in draft.resource.references_mut().into_iter().flatten() {
            if let Some(id) = self.appeared(tenant, reference) {
                reference.id = id;
            }
        }
        draft
    }
}

/// A task that binds resources of these kinds to what has appeared since they were written.
/// It never ends. `context.known.names` are the names.
#[macro_export]
macro_rules! keep_bound {
    ($context:expr, $($resource:ty),+ $(,)?) => {{
        let context = $context;
        async move {
            let names = &context.known.names;
            let mut news = names.news();
            loop {
                for tenant in news.tenants().await {
                    $(if let Err(error) = names.bind::<_, $resource>(&context, &tenant).await {
                        let kind = <$resource as $crate::Resource>::KIND;
                        tracing::warn!(%error, tenant, kind, "references were not bound");
                    })+
                }
            }
        }
    }};
}
