//! Every curl and grpcurl command of the README and the API page, run against the demo that both
//! ask their reader to start.

use std::path::{Path, PathBuf};

use conformance::{
    door::{GRPCURL_VARIABLE, run},
    expectation::differences,
    page::{self, Shown},
    process::Process,
    suite::{Shape, Store, Suite, base_in},
};
use serde_json::{Value, json};
use tokio::process::Command;

use super::snippets;

/// The pages, in the order in which a reader meets them, and how many commands each has at least.
const PAGES: [(&str, usize); 3] = [("README.md", 4), ("docs/api.md", 4), (CLIENTS, 2)];
/// The page with a snippet for each language.
const CLIENTS: &str = "docs/clients.md";
/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The address in the pages.
const PRINTED: &str = "127.0.0.1:8080";
/// The date in the pages. The test sends tomorrow instead: with every day more customers of the
/// demo leave the range of its rules.
const PRINTED_DAY: &str = "2027-01-15";
/// How often the test waits for the demo as long as for a service.
const WAITS_MAX: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_readme_and_api_page_answers_as_printed() {
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let mut demo = Process::start("proffer", &arguments, &[]).unwrap();
    let base = base_of(&mut demo).await.unwrap();
    let grpcurl = std::env::var(GRPCURL_VARIABLE).expect("run the tests with `cargo xtask test`");
    let mut reader = Reader::new(&base, Path::new(ROOT), grpcurl);
    for (path, least) in PAGES {
        let shown = page::commands(&text(path)).unwrap();
        assert!(shown.len() >= least, "{path}: {shown:?}");
        for shown in shown {
            reader.follow(path, &shown).await;
        }
    }
    snippets::typescript(&text(CLIENTS), &base).await;
    snippets::python(&text(CLIENTS), &reader.address).await;
    snippets::go(&text(CLIENTS), &reader.address).await;
}

/// The file's dates are moved so that its last day is yesterday, as the demo does. Quiet hours are
/// switched off before the pages are followed: they would refuse at night.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_serves_what_the_demo_serves_by_the_lines_of_its_pages() {
    let suite = Suite::start(Shape::AllInOne, Store::Sqlite).await.unwrap();
    let folder = suite.folder().join("examples/winback");
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(format!("{ROOT}/examples/winback")).unwrap() {
        let path = entry.unwrap().path();
        let content = std::fs::read_to_string(&path).unwrap();
        let is_customers = path.ends_with("customers.csv");
        let content = if is_customers { moved(&content) } else { content };
        std::fs::write(folder.join(path.file_name().unwrap()), content).unwrap();
    }
    let grpcurl = std::env::var(GRPCURL_VARIABLE).expect("run the tests with `cargo xtask test`");
    let mut reader = Reader::new(&suite.base, suite.folder(), grpcurl);
    let shown = page::commands(&text("examples/winback/README.md")).unwrap();
    assert_eq!(shown.len(), 12, "{shown:?}");
    for shown in shown {
        reader.follow("examples/winback/README.md", &shown).await;
    }
    let always = json!({"config": {"quietHoursStart": null, "quietHoursEnd": null}});
    let client = suite.client();
    client.ok("PATCH", "/api/v1/channels/email", &always).await.unwrap();
    let shown = page::commands(&text("README.md")).unwrap();
    for shown in shown {
        // Without quiet hours the answer about the night is another one.
        let is_night = shown.command.contains("T02:00:00");
        reader
            .follow("README.md", &Shown { answer: shown.answer.filter(|_| !is_night), ..shown })
            .await;
    }
    let explained = json!({"customerId": "12840", "offerId": "off_apparel_20_back"});
    let why = client.ok("POST", "/api/v1/explain", &explained).await.unwrap();
    assert_eq!(why["offerId"], "off_apparel_20_back", "{why}");
    let replayed = format!("/api/v1/decisions/{}/replay", reader.decision);
    let replayed = client.ok("POST", &replayed, &json!({})).await.unwrap();
    assert_eq!(replayed["identical"], true, "{replayed}");
}

/// The customers with all dates moved by the same number of days.
fn moved(file: &str) -> String {
    const FILE_ENDS: &str = "2026-11-29";
    let ends: chrono::NaiveDate = FILE_ENDS.parse().unwrap();
    // The pages ask about a customer in Brussels, where it is tomorrow before it is in UTC.
    let today = serve::Clock::system().now().with_timezone(&chrono_tz::Europe::Brussels);
    let today = today.date_naive();
    let days = today - ends - chrono::TimeDelta::days(1);
    let shifted = |line: &str| match line.splitn(3, ',').collect::<Vec<_>>()[..] {
        [id, date, rest] => match date.parse::<chrono::NaiveDate>() {
            Ok(date) => format!("{id},{},{rest}\n", date + days),
            Err(_) => format!("{line}\n"),
        },
        _ => format!("{line}\n"),
    };
    file.lines().map(shifted).collect()
}

fn text(path: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{path}")).unwrap()
}

/// Where the demo serves. It plays the whole campaign first, so it may take several times as long
/// as a service takes to be ready.
async fn base_of(demo: &mut Process) -> anyhow::Result<String> {
    let serving = |line: &str| line.starts_with("Serving on").then(|| base_in(line)).flatten();
    for _ in 1..WAITS_MAX {
        if let Ok(base) = demo.line(serving).await {
            return Ok(base);
        }
    }
    demo.line(serving).await
}

/// Runs the commands of the pages one after the other.
struct Reader {
    /// The folder in which the commands run.
    folder: PathBuf,
    address: String,
    tomorrow: String,
    grpcurl: String,
    /// The last `decisionId` of an answer; the pages call it `$DECISION`.
    decision: String,
}

impl Reader {
    fn new(base: &str, folder: &Path, grpcurl: String) -> Self {
        let tomorrow = serve::Clock::system().now() + chrono::TimeDelta::days(1);
        Self {
            folder: folder.to_owned(),
            address: base.trim_start_matches("http://").to_owned(),
            tomorrow: tomorrow.date_naive().to_string(),
            grpcurl,
            decision: String::new(),
        }
    }

    async fn follow(&mut self, path: &str, shown: &Shown) {
        let command =
            shown.command.replace(PRINTED, &self.address).replace(PRINTED_DAY, &self.tomorrow);
        let command = match command.strip_prefix("grpcurl ") {
            Some(rest) => format!("{} {rest}", self.grpcurl),
            None => command.replacen("curl ", "curl --silent --show-error ", 1),
        };
        let place = format!("{path}:{}: {command}", shown.line);
        let mut bash = Command::new("bash");
        bash.args(["-c", &command]).env("DECISION", &self.decision).current_dir(&self.folder);
        let (code, output, errors) = run(bash, "").await.unwrap();
        assert_eq!(code, Some(0), "{place}\n{output}{errors}");
        let answer = serde_json::from_str::<Value>(&output);
        let decision = answer.as_ref().ok().and_then(|answer| answer["decisionId"].as_str());
        if let Some(decision) = decision {
            decision.clone_into(&mut self.decision);
        }
        let Some(printed) = &shown.answer else {
            let is_error = answer.is_ok_and(|answer| answer.get("error").is_some());
            assert!(!is_error, "{place}\n{output}");
            return;
        };
        let answer = answer.unwrap_or_else(|error| panic!("{place}: {error}: {output}"));
        let found = differences(&page::expectation(printed), Some(&answer));
        assert!(found.is_empty(), "{place}\n{}\n{output}", found.join("\n"));
    }
}
