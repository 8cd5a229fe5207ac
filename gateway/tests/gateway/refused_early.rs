//! A client that sends its whole body before it reads, as Python's urllib and Node's http do.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use ::gateway::Config;

use super::world::{StandIn, World};

/// More than all buffers of a connection hold.
const BODY_BYTES: usize = 24 * 1024 * 1024;

/// Sends head and body, then reads one answer: its status and its text.
fn send(connection: &mut TcpStream, head: &str, body_bytes: usize) -> (u16, String) {
    write!(connection, "{head}Content-Length: {body_bytes}\r\n\r\n").unwrap();
    let piece = vec![b' '; 64 * 1024];
    let mut left = body_bytes;
    while left > 0 {
        let bytes = left.min(piece.len());
        connection.write_all(&piece[..bytes]).expect("the connection was closed on the sender");
        left -= bytes;
    }
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, String::from_utf8(body).unwrap())
}

fn check(address: SocketAddr, call: &str, headers: &str, expected: u16) {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    connection.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!("{call} HTTP/1.1\r\nHost: {address}\r\n{headers}");
    let (status, text) = send(&mut connection, &head, BODY_BYTES);
    assert_eq!(status, expected, "{call}: {text}");
    assert!(text.starts_with("{\"error\":{\"code\":"), "{call}: {text}");
    // The connection can be used again.
    let head = format!("GET /api/v1 HTTP/1.1\r\nHost: {address}\r\n");
    assert_eq!(send(&mut connection, &head, 0).0, 200, "{call}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_its_whole_body_first_sees_an_early_refusal() {
    let world = World::start_with(Config::default(), StandIn::default().neighbours()).await;
    let address = world.address;
    let checked = tokio::task::spawn_blocking(move || {
        let import = "POST /api/v1/schemas/Customer/records:import";
        check(address, "POST /api/v1/offers", "", 413);
        check(address, "POST /api/v1/offers", "Connection: keep-alive\r\n", 413);
        check(address, "POST /api/v1/respond/bulk", "", 413);
        check(address, "POST /api/v1/nothing", "", 404);
        check(address, "PUT /api/v1/offers", "", 405);
        check(address, "POST /api/v1/offers", "Origin: https://evil.example\r\n", 403);
        check(address, "POST /api/v1/offers", "Content-Encoding: gzip\r\n", 415);
        check(address, import, "", 400);
        check(address, import, "Content-Encoding: gzip\r\nContent-Type: text/csv\r\n", 415);
    });
    checked.await.unwrap();
}
