//! `proffer serve` starts, answers and stops.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
};

use super::process::{LOCAL, Process};

fn get(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn serve_says_once_that_it_is_ready_answers_and_stops_when_told() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_proffer"));
    let serve = Process::start(command.arg("serve").args(LOCAL).arg("--data").arg(data.path()));
    let ready = serve.line();
    let address = ready
        .strip_prefix("proffer is ready: REST and gRPC on http://")
        .unwrap()
        .split_once(',')
        .unwrap()
        .0;
    let answer = get(address, "/api/v1/outcome-types");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains(r#""key":"not_interested""#), "{answer}");
    serve.stop("TERM");
}
