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
    // Each store is whole in its one file.
    let files = std::fs::read_dir(data.path()).unwrap().map(|file| file.unwrap());
    let logs = files.filter(|file| file.file_name().to_string_lossy().ends_with("-wal"));
    let left: Vec<_> = logs.filter(|log| log.metadata().unwrap().len() > 0).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn help_shows_no_value_of_the_environment() {
    for arguments in [&["--help"][..], &["serve", "--help"], &["serve", "-h"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_proffer"));
        command.args(arguments).envs([
            ("PROFFER_DATABASE_URL", "postgres://me:canary@localhost/thing"),
            ("PROFFER_DATA", "/canary"),
            ("PROFFER_LOG", "canary=info"),
            ("PROFFER_OTLP_HEADERS", "authorization=canary"),
        ]);
        let shown = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(!shown.is_empty() && !shown.contains("canary"), "{shown}");
    }
}

/// What a command says on standard error when it does not start.
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let data = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_proffer"))
        .args(arguments)
        .env("PROFFER_DATA", data.path())
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn an_address_that_others_can_reach_needs_a_flag_and_the_reason_is_said() {
    for (arguments, environment) in [
        (&["serve", "--listen", "0.0.0.0:0"][..], &[][..]),
        (&["demo", "--listen", "[::]:0"], &[]),
        (&["serve"], &[("PROFFER_LISTEN", "0.0.0.0:0")]),
        (&[], &[("PROFFER_LISTEN", "0.0.0.0:0")]),
        (&["serve", "--listen", "0.0.0.0:0"], &[("PROFFER_INSECURE_NO_AUTH", "0")]),
    ] {
        let told = refused(arguments, environment);
        assert!(told.contains("does not authenticate callers yet"), "{arguments:?}: {told}");
        assert!(told.contains("--insecure-no-auth"), "{arguments:?}: {told}");
    }
    let told = refused(&["serve", "--allowed-origin", "shop.example"], &[]);
    assert!(told.contains("must be an origin, such as https://"), "{told}");
}

#[test]
fn serve_takes_the_settings_of_the_public_address() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_proffer"));
    command
        .args(["serve", "--listen", "0.0.0.0:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--no-reflection", "--allowed-origin", "https://shop.example"])
        .args(["--allowed-host", "proffer.example"])
        .env("PROFFER_INSECURE_NO_AUTH", "1")
        .arg("--data")
        .arg(data.path());
    let serve = Process::start(&mut command);
    let ready = serve.line();
    let port = ready.split_once(',').unwrap().0.rsplit_once(':').unwrap().1;
    let address = format!("127.0.0.1:{port}");
    let ask = |host: &str, origin: &str| {
        let mut connection = TcpStream::connect(&address).unwrap();
        write!(
            connection,
            "OPTIONS /api/v1/recommend HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    };
    let allowed = ask("proffer.example", "https://shop.example");
    assert!(allowed.starts_with("HTTP/1.1 204 "), "{allowed}");
    assert!(allowed.contains("access-control-allow-methods: OPTIONS, POST"), "{allowed}");
    let own = format!("http://{address}");
    assert!(ask(&address, &own).starts_with("HTTP/1.1 204 "));
    assert!(ask(&address, "https://evil.example").starts_with("HTTP/1.1 403 "));
    assert!(ask("evil.example", "http://evil.example").starts_with("HTTP/1.1 403 "));
    serve.stop("TERM");
}
