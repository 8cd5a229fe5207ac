//! The commands and the settings file of docs/operations.md, as they are printed.

use std::{fs, path::Path};

use conformance::process::Process;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
/// The URL, the role and the files in the page; the test has its own.
const PRINTED_URL: &str = "postgres://owner:password@localhost:5432/proffer";
const PRINTED_ROLE: &str = "proffer_app";
const PRINTED_SECRET: &str = "/run/secrets/database-url";
const PRINTED_FILE: &str = "proffer.toml";

/// What the page has in fences of a language, each a text.
fn fenced(language: &str) -> Vec<String> {
    let page = fs::read_to_string(PAGE).unwrap();
    let fence = format!("```{language}\n");
    let blocks = page.split(&fence).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_operations_page_does_what_the_page_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let url = testkit::fresh_database_url().await;
    let role = format!("proffer_page_{}", std::process::id());
    let mut owner = PgConnection::connect(&url).await.unwrap();
    for sql in fenced("sql") {
        let sql = sql.replace(PRINTED_ROLE, &role);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut owner).await.unwrap();
    }
    fs::write(path("secret"), format!("{url}\n")).unwrap();
    let [settings] = fenced("toml").try_into().unwrap();
    fs::write(path(PRINTED_FILE), settings.replace(PRINTED_SECRET, &path("secret"))).unwrap();

    let mut run = 0;
    for line in fenced("text").iter().flat_map(|block| block.lines()) {
        let own = |word: &str| match word {
            PRINTED_URL => url.clone(),
            PRINTED_ROLE => role.clone(),
            PRINTED_FILE => path(PRINTED_FILE),
            other => other.to_owned(),
        };
        let words: Vec<_> = line.split(' ').map(own).collect();
        let [program, arguments @ ..] = words.as_slice() else { panic!("{line}") };
        if !["proffer", "catalog-svc"].contains(&program.as_str()) {
            continue;
        }
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        // A service would go on; its settings are checked only.
        if arguments.first() == Some(&"serve") {
            arguments.push("--check-config");
        }
        let process = Process::start(program, &arguments, &[]).unwrap();
        let (code, log, _) = process.ended_with_output().await.unwrap();
        assert_eq!(code, Some(0), "{line}: {log}");
        run += 1;
    }
    assert!(run >= 4, "only {run} commands were found");
    assert!(Path::new(&path("secret")).exists());
    let drop_role = format!("drop owned by {role}; drop role {role}");
    sqlx::raw_sql(AssertSqlSafe(drop_role)).execute(&mut owner).await.unwrap();
}
