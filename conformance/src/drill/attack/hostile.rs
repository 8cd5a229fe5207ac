//! What hostile callers use: connections from another address than the honest caller's.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use h2::{
    SendStream,
    client::{Builder, SendRequest},
};
use http::Request;
use tokio::net::{TcpSocket, TcpStream};

use super::Target;

/// The address from which attacks come.
pub const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

/// A connection of the attacker.
pub async fn connect(target: &Target) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(PEER, 0))?;
    socket.connect(target.address).await
}

/// A connection over HTTP/2 with this window for each answer.
pub async fn connect_h2(target: &Target, window: u32) -> anyhow::Result<SendRequest<Bytes>> {
    let stream = connect(target).await?;
    let mut builder = Builder::new();
    builder.initial_window_size(window);
    let (sender, connection) = builder.handshake(stream).await?;
    // It answers pings as long as the server keeps it.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// The head of a gRPC call.
pub fn grpc(target: &Target, path: &str) -> anyhow::Result<Request<()>> {
    let uri = format!("http://{}{path}", target.address);
    let request = Request::post(uri).header("content-type", "application/grpc");
    Ok(request.header("te", "trailers").body(())?)
}

/// Sends `bytes` of a body as the peer takes them; the number sent when it stops.
pub async fn pour(body: &mut SendStream<Bytes>, bytes: usize, target: &Target) {
    let piece = Bytes::from_static(&[0; 16 * 1024]);
    let mut left = bytes;
    while left > 0 {
        body.reserve_capacity(left.min(piece.len()));
        let capacity = std::future::poll_fn(|context| body.poll_capacity(context)).await;
        let Some(Ok(capacity)) = capacity else { return };
        let size = capacity.min(left).min(piece.len());
        if body.send_data(piece.slice(..size), false).is_err() {
            return;
        }
        target.count(size);
        left -= size;
    }
}
