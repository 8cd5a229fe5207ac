//! The commands and the settings file of docs/operations.md, as they are printed.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use conformance::process::Process;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
/// The URLs, the role, the files and the folders in the page; the test has its own.
const PRINTED_URL: &str = "postgres://owner:password@localhost:5432/proffer";
const PRINTED_RESTORED_URL: &str = "postgres://owner:password@localhost:5432/restored";
const PRINTED_FOLDERS: [(&str, &str); 3] = [
    ("./proffer-data", "data"),
    ("./proffer-data-restored", "restored"),
    ("/backup/2026-11-30", "backup"),
];
const PRINTED_DUMP: &str = "proffer.dump";
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

    // What the page backs up.
    let migrate = ["migrate", "--data", &path("data")];
    let (code, ..) =
        Process::start("proffer", &migrate, &[]).unwrap().ended_with_output().await.unwrap();
    assert_eq!(code, Some(0));
    let restored_url = testkit::fresh_database_url().await;

    let mut run = BTreeMap::<String, usize>::new();
    for line in fenced("text").iter().flat_map(|block| block.lines()) {
        let own = |word: &str| match word {
            PRINTED_URL => url.clone(),
            PRINTED_ROLE => role.clone(),
            PRINTED_RESTORED_URL => restored_url.clone(),
            PRINTED_FILE | PRINTED_DUMP => path(word),
            other => {
                let folder = PRINTED_FOLDERS.iter().find(|(printed, _)| *printed == other);
                folder.map_or_else(|| other.to_owned(), |(_, own)| path(own))
            }
        };
        let words: Vec<_> = line.split(' ').map(own).collect();
        let [program, arguments @ ..] = words.as_slice() else { panic!("{line}") };
        *run.entry(program.clone()).or_default() += 1;
        if program.starts_with("pg_") {
            let tool = testkit::find_binaries().unwrap().join(program);
            let output = Command::new(tool).args(arguments).output().unwrap();
            assert!(output.status.success(), "{line}: {output:?}");
            continue;
        }
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        // A service would go on; its settings are checked only.
        if arguments.first() == Some(&"serve") || program == "gateway" {
            arguments.push("--check-config");
        }
        let process = Process::start(program, &arguments, &[]).unwrap();
        let (code, log, _) = process.ended_with_output().await.unwrap();
        assert_eq!(code, Some(0), "{line}: {log}");
    }
    let shown = [("proffer", 5), ("catalog-svc", 1), ("gateway", 1), ("pg_dump", 1)];
    for (program, count) in shown.into_iter().chain([("pg_restore", 1)]) {
        assert!(run.get(program) >= Some(&count), "{program}: {run:?}");
    }
    let mut restored = PgConnection::connect(&restored_url).await.unwrap();
    let tables =
        "select count(*) from information_schema.tables where table_schema like 'proffer_%'";
    let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut restored).await.unwrap();
    assert!(tables > 20, "{tables}");
    assert!(Path::new(&path("secret")).exists());
    // The copy has the grants, too.
    let in_copy = format!("drop owned by {role}");
    sqlx::raw_sql(AssertSqlSafe(in_copy)).execute(&mut restored).await.unwrap();
    let drop_role = format!("drop owned by {role}; drop role {role}");
    sqlx::raw_sql(AssertSqlSafe(drop_role)).execute(&mut owner).await.unwrap();
}
