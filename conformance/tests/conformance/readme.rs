//! Every curl and grpcurl line of the README, against the demo it tells its reader to start.

use conformance::{
    door::{GRPCURL_VARIABLE, run},
    expectation::differences,
    process::Process,
    readme,
    suite::base_in,
};
use tokio::process::Command;

/// Where the README's reader finds the demo.
const PRINTED: &str = "127.0.0.1:8080";
/// A future date in the README; played as tomorrow, since the demo's customers lapse further with
/// every day.
const PRINTED_DAY: &str = "2027-01-15";

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_readme_answers_as_printed() {
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let mut demo = Process::start("proffer", &arguments, &[]).unwrap();
    let base = demo
        .line(|line| line.starts_with("Serving on").then(|| base_in(line)).flatten())
        .await
        .unwrap();
    let address = base.trim_start_matches("http://");
    let tomorrow =
        (serve::Clock::system().now() + chrono::TimeDelta::days(1)).date_naive().to_string();
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let shown = readme::commands(&text).unwrap();
    assert!(shown.len() >= 8, "{shown:?}");
    let grpcurl = std::env::var(GRPCURL_VARIABLE).expect("run the tests with `cargo xtask test`");
    for shown in shown {
        let command = shown.command.replace(PRINTED, address).replace(PRINTED_DAY, &tomorrow);
        let command = match command.strip_prefix("grpcurl ") {
            Some(rest) => format!("{grpcurl} {rest}"),
            None => command.replacen("curl ", "curl --silent --show-error ", 1),
        };
        let mut bash = Command::new("bash");
        bash.args(["-c", &command]);
        let (code, output, errors) = run(bash, "").await.unwrap();
        assert_eq!(code, Some(0), "README line {}: {command}\n{output}{errors}", shown.line);
        let Some(printed) = shown.answer else { continue };
        let answer = serde_json::from_str(&output)
            .unwrap_or_else(|error| panic!("line {}: {error}: {output}", shown.line));
        let found = differences(&readme::expectation(&printed), Some(&answer));
        assert!(
            found.is_empty(),
            "README line {}: {command}\n{}\n{output}",
            shown.line,
            found.join("\n")
        );
    }
}
