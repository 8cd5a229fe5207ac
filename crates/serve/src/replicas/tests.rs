//! Calls over several replicas that come, go, and break off in the middle of a call.

use std::{
    io,
    net::SocketAddr,
    sync::{Mutex, atomic::AtomicUsize, atomic::Ordering},
};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Notify};
use tonic::{Code, Status, service::Routes};
use tower::ServiceExt as _;

use super::{found::LookUp, *};
use crate::{Limits, Listener, Shutdown};

const READ: &str = "/proffer.catalog.v1.OfferService/GetOffer";
const WRITE: &str = "/proffer.catalog.v1.OfferService/CreateOffer";

/// A resolver that knows these addresses.
#[derive(Clone)]
struct Fixed(Arc<Mutex<Vec<SocketAddr>>>);

impl LookUp for Fixed {
    async fn look_up(&self, _: &Place) -> io::Result<Vec<SocketAddr>> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// A resolver that knows nothing.
struct Nothing;

impl LookUp for Nothing {
    async fn look_up(&self, _: &Place) -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::other("no such host"))
    }
}

fn of(addresses: &[SocketAddr]) -> Replicas {
    let names = Fixed(Arc::new(Mutex::new(addresses.to_vec())));
    Replicas(Found::start(Place::all("http://catalog:7101").unwrap(), names))
}

/// A replica that counts its calls and answers each at once.
struct Server {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    shutdown: Shutdown,
    serving: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Server {
    async fn start(address: &str) -> Self {
        let calls = Arc::<AtomicUsize>::default();
        let counted = calls.clone();
        let answer = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Status::new(Code::Ok, "").into_http::<axum::body::Body>() }
        };
        let listener = Listener::bind(address.parse().unwrap(), Limits::default()).await.unwrap();
        let (address, shutdown) = (listener.address().unwrap(), Shutdown::new());
        let routes = Routes::from(Router::new().fallback(answer));
        let serving = tokio::spawn(listener.serve(routes, shutdown.clone()));
        Self { address, calls, shutdown, serving }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn stop(self) -> SocketAddr {
        self.shutdown.cancel();
        self.serving.await.unwrap().unwrap();
        self.address
    }
}

async fn call(replicas: &Replicas, path: &str) -> Result<(), Status> {
    let request = Request::post(path)
        .header("content-type", "application/grpc")
        .body(Body::new(Full::new(Bytes::from_static(&[0; 5]))))
        .unwrap();
    let answered = replicas.clone().oneshot(request).await;
    answered.map(drop).map_err(Status::from_error)
}

#[tokio::test]
async fn calls_go_to_every_address_of_a_name_in_turn() {
    let (one, two) = (Server::start("127.0.0.1:0").await, Server::start("127.0.0.1:0").await);
    let replicas = of(&[one.address, two.address]);
    for _ in 0..10 {
        call(&replicas, WRITE).await.unwrap();
    }
    assert_eq!((one.calls(), two.calls()), (5, 5));
}

#[tokio::test]
async fn urls_with_commas_are_replicas() {
    let (one, two) = (Server::start("127.0.0.1:0").await, Server::start("127.0.0.1:0").await);
    let urls = format!("http://{}, http://{}", one.address, two.address);
    let replicas = Replicas::new(&urls).unwrap();
    for _ in 0..4 {
        call(&replicas, READ).await.unwrap();
    }
    assert_eq!((one.calls(), two.calls()), (2, 2));
}

#[tokio::test]
async fn no_call_fails_while_one_of_two_replicas_is_stopped_and_started_again() {
    let (one, two) = (Server::start("127.0.0.1:0").await, Server::start("127.0.0.1:0").await);
    let replicas = of(&[one.address, two.address]);
    for _ in 0..10 {
        call(&replicas, WRITE).await.unwrap();
    }
    let address = two.stop().await;
    for _ in 0..20 {
        call(&replicas, WRITE).await.unwrap();
    }
    assert_eq!(one.calls(), 25);
    let again = Server::start(&address.to_string()).await;
    while again.calls() == 0 {
        call(&replicas, WRITE).await.unwrap();
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn without_any_replica_a_call_is_unavailable() {
    let gone = Server::start("127.0.0.1:0").await.stop().await;
    let fault = call(&of(&[gone]), READ).await.unwrap_err();
    assert_eq!(fault.code(), Code::Unavailable, "{fault}");
    let unknown = Replicas(Found::start(Place::all("http://catalog:7101").unwrap(), Nothing));
    let fault = call(&unknown, READ).await.unwrap_err();
    assert_eq!(fault.code(), Code::Unavailable, "{fault}");
}

/// A replica that takes each call and closes the connection without an answer.
async fn breaking() -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, calls) = (socket.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let counted = calls.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = socket.accept().await.unwrap();
            let (counted, begun) = (counted.clone(), Arc::<Notify>::default());
            let begin = begun.clone();
            let service = tower::service_fn(move |_: Request<hyper::body::Incoming>| {
                counted.fetch_add(1, Ordering::SeqCst);
                begin.notify_one();
                std::future::pending::<Result<Response<Full<Bytes>>, io::Error>>()
            });
            tokio::spawn(async move {
                let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
                tokio::select! { _ = serving => {}, () = begun.notified() => {} }
            });
        }
    });
    (address, calls)
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_sent_again_only_if_it_may_be_done_twice() {
    let (broken, taken) = breaking().await;
    let good = Server::start("127.0.0.1:0").await;
    let taken = || taken.load(Ordering::SeqCst);
    let replicas = of(&[broken, good.address]);
    for turn in 1..=4 {
        call(&replicas, READ).await.unwrap();
        assert_eq!(good.calls(), turn);
    }
    let (reads_taken, reads_answered) = (taken(), good.calls());
    assert_eq!(reads_taken, 2);
    let mut failed = 0;
    for _ in 0..4 {
        failed += usize::from(call(&replicas, WRITE).await.is_err());
    }
    // Each write reached exactly one replica.
    assert_eq!((failed, taken() - reads_taken), (2, 2));
    assert_eq!(good.calls() - reads_answered, 2);
}

#[tokio::test]
async fn a_budget_ends_retries_of_a_service_that_fails_on_and_on() {
    let ((one, taken), (two, also)) = (breaking().await, breaking().await);
    let replicas = of(&[one, two]);
    const CALLS: usize = 400;
    for _ in 0..CALLS {
        call(&replicas, READ).await.unwrap_err();
    }
    let sent = taken.load(Ordering::SeqCst) + also.load(Ordering::SeqCst);
    assert!(sent > CALLS, "nothing was retried");
    assert!(sent <= CALLS + 100 + CALLS / 5, "{sent} calls were sent for {CALLS}");
}
