//! A database that cannot be used is said at once, with the flag and what would be right.

#![allow(clippy::unwrap_used)]

use std::{net::TcpListener, time::Duration};

use database::{Database, Location, PoolSizes};

/// Why a place cannot be opened. No wait for a connection would end within the test.
async fn refusal(location: Location) -> String {
    let acquire_timeout = Duration::from_secs(24 * 60 * 60);
    let sizes = PoolSizes { acquire_timeout, ..PoolSizes::default() };
    format!("{:#}", Database::open(&location, "notes", sizes, &[]).await.unwrap_err())
}

#[tokio::test]
async fn a_postgres_that_refuses_the_connection_is_said_without_waiting() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://me:secret@127.0.0.1:{port}/proffer");
    let expected = format!(
        "PostgreSQL at 127.0.0.1:{port} refused the connection: is it running, and does \
         --database-url name its host and port?"
    );
    assert_eq!(refusal(Location::Url(url)).await, expected);
}

#[tokio::test]
async fn only_postgres_urls_are_taken_and_no_message_repeats_a_password() {
    let check = async |url: &str, expected: &str| {
        let found = refusal(Location::Url(url.to_owned())).await;
        assert!(found.starts_with(expected), "{url}: {found}");
        assert!(found.contains("postgres://user:password@localhost:5432/proffer"), "{found}");
        assert!(!found.contains("secret"), "{found}");
    };
    let only = "--database-url takes only postgres:// URLs";
    check("mysql://me:secret@localhost/x", &format!("{only}, not mysql://;")).await;
    check("sqlite://secret.db", &format!("{only}, not sqlite://;")).await;
    check("localhost:5432/secret", &format!("{only};")).await;
    check("me:secret@host://x", &format!("{only};")).await;
    check("", &format!("{only};")).await;
    check("postgres://me:secret@localhost:port/x", "--database-url cannot be read").await;
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_written_names_its_flag() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let found = refusal(Location::Folder(file.join("data"))).await;
    let expected = format!(
        "cannot create the data folder {}/data; choose another with --data: ",
        file.display()
    );
    assert!(found.starts_with(&expected), "{found}");
}
