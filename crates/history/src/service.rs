//! The services of resources, written once.

/// Writes the five methods of a service whose messages follow the common pattern.
///
/// At the place of use `proto` holds the messages, and `resource` the functions `create`, `get`,
/// `list`, `update` and `delete`, which take what the holder's first field holds.
#[macro_export]
macro_rules! resource_service {
    (
        impl $service:ident for $holder:ident of $resource:ident as $one:ident, $many:ident {
            $create:ident($create_request:ident) -> $created:ident,
            $get:ident($get_request:ident) -> $got:ident,
            $list:ident($list_request:ident) -> $listed:ident,
            $update:ident($update_request:ident) -> $updated:ident,
            $delete:ident($delete_request:ident) -> $deleted:ident,
        }
    ) => {
        #[tonic::async_trait]
        impl $service for $holder {
            async fn $create(
                &self,
                request: tonic::Request<proto::$create_request>,
            ) -> Result<tonic::Response<proto::$created>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                let $one = Some(resource::create(&self.0, &metadata, request.$one).await?);
                Ok(tonic::Response::new(proto::$created { $one }))
            }

            async fn $get(
                &self,
                request: tonic::Request<proto::$get_request>,
            ) -> Result<tonic::Response<proto::$got>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                let $one = Some(resource::get(&self.0, &metadata, &request.id).await?);
                Ok(tonic::Response::new(proto::$got { $one }))
            }

            async fn $list(
                &self,
                request: tonic::Request<proto::$list_request>,
            ) -> Result<tonic::Response<proto::$listed>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                let page =
                    resource::list(&self.0, &metadata, request.page_size, &request.page_token)
                        .await?;
                let ($many, next_page_token) = (page.items, page.next);
                Ok(tonic::Response::new(proto::$listed { $many, next_page_token }))
            }

            async fn $update(
                &self,
                request: tonic::Request<proto::$update_request>,
            ) -> Result<tonic::Response<proto::$updated>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                let (id, mask) = (&request.id, request.update_mask);
                let $one =
                    Some(resource::update(&self.0, &metadata, id, request.$one, mask).await?);
                Ok(tonic::Response::new(proto::$updated { $one }))
            }

            async fn $delete(
                &self,
                request: tonic::Request<proto::$delete_request>,
            ) -> Result<tonic::Response<proto::$deleted>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                resource::delete::<proto::$resource>(
                    &self.0,
                    &metadata,
                    &request.id,
                    &request.etag,
                )
                .await?;
                Ok(tonic::Response::new(proto::$deleted {}))
            }
        }
    };
}
