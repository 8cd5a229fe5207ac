//! gRPC through the gateway: public methods reach their service, internal ones do not, tools find
//! their way.

use proffer_proto::catalog::v1::{
    self as catalog, lookup_service_client::LookupServiceClient,
    offer_service_client::OfferServiceClient,
};
use serve::{Neighbour, Problem, Readiness, Surface};
use tonic::{Code, Request, client::Grpc, codegen::http::uri::PathAndQuery, service::Routes};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

use super::world::{StandIn, World, micros_left};

fn channel(world: &World) -> Neighbour {
    Neighbour::remote(&format!("http://{}", world.address)).unwrap()
}

#[tokio::test]
async fn a_public_method_reaches_its_service_with_our_tenant() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let offer = catalog::Offer { id: "off_1".into(), ..Default::default() };
    stand_in
        .answer("OfferService/GetOffer", &catalog::GetOfferResponse { offer: Some(offer.clone()) });
    let mut request = Request::new(catalog::GetOfferRequest { id: "off_1".into() });
    request.metadata_mut().insert(serve::metadata::TENANT, "other".parse().unwrap());
    request.metadata_mut().insert(serve::metadata::ACTOR, "root".parse().unwrap());
    request.set_timeout(std::time::Duration::from_secs(5));
    let answer = OfferServiceClient::new(channel(&world)).get_offer(request).await.unwrap();
    assert_eq!(answer.into_inner().offer, Some(offer));
    let headers = stand_in.last().headers;
    assert_eq!(headers["x-proffer-tenant"], "default");
    assert!(!headers.contains_key("x-proffer-actor"));
    // What is left of the caller's time.
    let left = micros_left(&headers);
    assert!((1..=5_000_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_status_comes_back_with_its_details_untouched() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    stand_in
        .refuse("OfferService/GetOffer", Problem::invalid_field("offer.business_value", "is odd"));
    let refused = OfferServiceClient::new(channel(&world))
        .get_offer(catalog::GetOfferRequest::default())
        .await;
    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        status.get_details_bad_request().unwrap().field_violations[0].field,
        "offer.business_value"
    );
}

#[tokio::test]
async fn internal_services_are_not_reached() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let refused = LookupServiceClient::new(channel(&world))
        .lookup_customer(catalog::LookupCustomerRequest::default())
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "ROUTE_NOT_FOUND");
    assert_eq!(stand_in.count(), 0);
}

#[tokio::test]
async fn a_service_that_is_away_is_unavailable() {
    let away = Neighbour::remote("http://127.0.0.1:1").unwrap();
    let stand_in = StandIn::default();
    let neighbours = ::gateway::Neighbours { catalog: away, ..stand_in.neighbours() };
    let world = World::start_with(::gateway::Config::default(), neighbours).await;
    let refused = OfferServiceClient::new(channel(&world))
        .get_offer(catalog::GetOfferRequest::default())
        .await;
    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.get_details_retry_info().is_some());
}

#[tokio::test]
async fn a_foreign_page_is_refused_here_as_well() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let mut request = Request::new(catalog::GetOfferRequest::default());
    request.metadata_mut().insert("origin", "https://evil.example".parse().unwrap());
    let refused = OfferServiceClient::new(channel(&world)).get_offer(request).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(stand_in.count(), 0);
}

#[tokio::test]
async fn health_follows_readiness_at_once_for_the_gateway_and_every_service_of_it() {
    let world = World::start(&StandIn::default()).await;
    let mut health = HealthClient::new(channel(&world));
    for (is_ready, expected) in [(true, ServingStatus::Serving), (false, ServingStatus::NotServing)]
    {
        world.readiness.needs("the store is away", is_ready);
        for service in std::iter::once(&"").chain(::gateway::Gateway::services()) {
            let request = HealthCheckRequest { service: (*service).to_owned() };
            let answer = health.check(request).await.unwrap();
            assert_eq!(answer.into_inner().status(), expected, "{service}");
        }
    }
}

/// What grpcurl asks first, in both versions of the protocol it may speak.
#[tokio::test]
async fn reflection_lists_the_public_services() {
    let world = World::start(&StandIn::default()).await;
    for version in ["v1", "v1alpha"] {
        let listed = list_services(&world, version).await;
        let mut expected = vec!["grpc.health.v1.Health"];
        expected.extend(::gateway::Gateway::services());
        assert_eq!(listed, expected, "{version}");
    }
}

/// A process of its own brings health and reflection along; the doors must leave room for them.
#[tokio::test]
async fn the_doors_stand_beside_the_health_and_reflection_of_a_process() {
    let gateway =
        ::gateway::Gateway::build(::gateway::Config::default(), StandIn::default().neighbours())
            .unwrap();
    let surface = Surface { has_reflection: true };
    let routes = Routes::from(gateway.doors());
    assert!(surface.around(routes, &Readiness::default(), ::gateway::Gateway::services()).is_ok());
}

/// `ServerReflectionRequest { list_services: "" }` and the names in its answer, which no crate at
/// hand has a client for.
async fn list_services(world: &World, version: &str) -> Vec<String> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Asked {
        #[prost(string, optional, tag = "7")]
        list_services: Option<String>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Answered {
        #[prost(message, optional, tag = "6")]
        services: Option<Services>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Services {
        #[prost(message, repeated, tag = "1")]
        service: Vec<Named>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Named {
        #[prost(string, tag = "1")]
        name: String,
    }
    let mut client = Grpc::new(channel(world));
    client.ready().await.unwrap();
    let path: PathAndQuery =
        format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
            .parse()
            .unwrap();
    let asked = tokio_stream::once(Asked { list_services: Some(String::new()) });
    let codec = tonic_prost::ProstCodec::<Asked, Answered>::default();
    let mut answers =
        client.streaming(Request::new(asked), path, codec).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    answer.services.unwrap().service.into_iter().map(|service| service.name).collect()
}
