//! `proffer serve` with wrong settings: one line says what is wrong and what would be right.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
};

use super::process::{LOCAL, Process};

/// What `proffer serve` says on standard error before it ends with a failure.
fn failure(arguments: &[&str]) -> String {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_proffer"));
    command.arg("serve").args(arguments).arg("--data").arg(data.path());
    // A backtrace is for faults of the program, and these are none.
    let output = command.env("RUST_BACKTRACE", "1").stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("backtrace") && !said.contains("::"), "{said}");
    said
}

#[test]
fn an_address_in_use_names_its_own_flag_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (flag, other) in [("--listen", "--admin-listen"), ("--admin-listen", "--listen")] {
        let said = failure(&[flag, &address, other, "127.0.0.1:0"]);
        let expected = format!("error: cannot listen on {address}: ");
        assert!(said.starts_with(&expected), "{said}");
        assert!(said.ends_with(&format!("; choose another address with {flag}\n")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_wrong_setting_is_refused_with_an_example() {
    for (arguments, expected) in [
        (["--listen", "8181"], "for example 127.0.0.1:8080 or localhost:8080"),
        (["--listen", ":8181"], "for example 127.0.0.1:8080 or localhost:8080"),
        (["--admin-listen", "9090"], "for example 127.0.0.1:8080 or localhost:8080"),
        (["--log", "nonsense=foo"], "for example info or warn,decision_svc=debug"),
        (["--log", "verbose"], "`verbose` is no level"),
    ] {
        let said = failure(&arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn a_database_that_cannot_be_used_is_said_in_one_line() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = format!("postgres://me:secret@127.0.0.1:{port}/proffer");
    for (url, expected) in [
        (refused.as_str(), format!("PostgreSQL at 127.0.0.1:{port} refused the connection")),
        (
            "mysql://me:secret@localhost/x",
            "--database-url takes only postgres:// URLs, not mysql://".to_owned(),
        ),
    ] {
        let said = failure(&[LOCAL.as_slice(), &["--database-url", url]].concat());
        assert!(said.starts_with("error: ") && said.contains(&expected), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn a_host_name_is_an_address() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_proffer"));
    let serve = Process::start(
        command
            .args(["serve", "--listen", "localhost:0", "--admin-listen", "localhost:0"])
            .arg("--data")
            .arg(data.path()),
    );
    assert!(serve.line().starts_with("proffer is ready: REST and gRPC on http://127.0.0.1:"));
    serve.stop("TERM");
}
