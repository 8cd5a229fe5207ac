//! A macro that writes the gRPC methods of a resource: create, get, list, update and delete.

/// Writes the methods of a service whose messages follow the common pattern: the common ones by
/// [`crate::crud`], others by a function of the service that takes context, metadata and request.
///
/// At the place of use `proto` holds the messages; the holder's first field is the context. A list
/// may be narrowed `by` enums that the request has like the resource, `and` by what a function of
/// the service makes of context, metadata and request. A `stream` is the answer of such a function,
/// too; `as` names its type, as the trait does.
#[macro_export]
macro_rules! resource_service {
    (
        impl $service:ident for $holder:ident
            of $resource:ident as $one:ident, $many:ident by $id:ident {
            create $create:ident($create_request:ident) -> $created:ident,
            get $get:ident($get_request:ident) -> $got:ident,
            list $list:ident($list_request:ident) -> $listed:ident
                $(by [$($field:ident),+] $(and $filter:path)?)?,
            $(update $update:ident($update_request:ident) -> $updated:ident,)?
            $(stream $from:path => $stream:ident($stream_request:ident) -> $streamed:ident
                as $pages:ident,)?
            delete $delete:ident($delete_request:ident) -> $deleted:ident,
            $($by:path => $other:ident($other_request:ident) -> $other_answer:ident,)*
        }
    ) => {
        #[tonic::async_trait]
        impl $service for $holder {
            async fn $create(
                &self,
                request: tonic::Request<proto::$create_request>,
            ) -> Result<tonic::Response<proto::$created>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                let (one, is_trial) = (request.$one, request.validate_only);
                let $one = Some($crate::crud::create(&self.0, &metadata, one, is_trial).await?);
                Ok(tonic::Response::new(proto::$created { $one }))
            }

            async fn $get(
                &self,
                request: tonic::Request<proto::$get_request>,
            ) -> Result<tonic::Response<proto::$got>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                let $one = Some($crate::crud::get(&self.0, &metadata, &request.$id).await?);
                Ok(tonic::Response::new(proto::$got { $one }))
            }

            async fn $list(
                &self,
                request: tonic::Request<proto::$list_request>,
            ) -> Result<tonic::Response<proto::$listed>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                let (size, token) = (request.page_size, &request.page_token);
                let filters = $crate::Filters::<proto::$resource>::new([$($(
                    $crate::Filter::<proto::$resource>::of_word(
                        stringify!($field),
                        request.$field,
                        |it| it.$field,
                    )?,
                )+ $($filter(&self.0, &metadata, &request).await?)?)?]);
                let page = $crate::crud::list(&self.0, &metadata, size, token, filters).await?;
                let ($many, next_page_token) = (page.items, page.next);
                Ok(tonic::Response::new(proto::$listed { $many, next_page_token }))
            }

            $(async fn $update(
                &self,
                request: tonic::Request<proto::$update_request>,
            ) -> Result<tonic::Response<proto::$updated>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                let (id, patch) = (&request.$id, (request.$one, request.update_mask));
                let $one = Some($crate::crud::update(&self.0, &metadata, id, patch, false).await?);
                Ok(tonic::Response::new(proto::$updated { $one }))
            })?

            $(type $pages = ::std::pin::Pin<Box<
                dyn ::futures::Stream<Item = Result<proto::$streamed, tonic::Status>> + Send,
            >>;

            async fn $stream(
                &self,
                request: tonic::Request<proto::$stream_request>,
            ) -> Result<tonic::Response<Self::$pages>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                $from(&self.0, &metadata, request).await.map(tonic::Response::new)
            })?

            async fn $delete(
                &self,
                request: tonic::Request<proto::$delete_request>,
            ) -> Result<tonic::Response<proto::$deleted>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                let (id, etag) = (&request.$id, &request.etag);
                let deleted =
                    $crate::crud::delete::<_, proto::$resource>(&self.0, &metadata, id, etag);
                Ok(tonic::Response::new(proto::$deleted { warnings: deleted.await? }))
            }

            $(async fn $other(
                &self,
                request: tonic::Request<proto::$other_request>,
            ) -> Result<tonic::Response<proto::$other_answer>, tonic::Status> {
                let (metadata, _, request) = request.into_parts();
                $by(&self.0, &metadata, request).await.map(tonic::Response::new)
            })*
        }
    };
}
