//! The report of `proffer demo`: its figures agree with each other and with the file.

use std::process::{Command, Stdio};

use chrono::NaiveDate;

use super::{
    file,
    process::{LOCAL, Process},
};

/// The report in its sections.
struct Report(String);

impl Report {
    /// The lines under a heading.
    fn section(&self, title: &str) -> Vec<&str> {
        let mut lines =
            self.0.lines().skip_while(|line| !line.starts_with(title)).skip(1).peekable();
        assert!(lines.peek().is_some(), "no section {title} in\n{}", self.0);
        lines.take_while(|line| !line.is_empty()).collect()
    }

    /// The number beside a label; none when the section has no such line.
    fn find(&self, title: &str, label: &str) -> Option<usize> {
        let rest = self
            .section(title)
            .into_iter()
            .find_map(|line| line.trim_start().strip_prefix(label)?.strip_prefix(' '));
        Some(number(rest?.split_whitespace().next()?))
    }

    fn figure(&self, title: &str, label: &str) -> usize {
        self.find(title, label).unwrap_or_else(|| panic!("no {label} under {title} in\n{}", self.0))
    }

    /// Customers, buyers and pence of one arm; the first mention counts everyone assigned.
    fn arm(&self, arm: &str) -> (usize, usize, i64) {
        let lines = self.section("Read-out");
        let line = lines.iter().find(|line| line.trim_start().starts_with(arm)).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        let before = |word: &str| words[words.iter().position(|found| *found == word).unwrap() - 1];
        (number(before("customers,")), number(before("bought,")), pence(before("in")))
    }
}

fn number(text: &str) -> usize {
    text.replace(',', "").parse().unwrap_or_else(|_| panic!("`{text}` is not a number"))
}

/// `-£1,234.50` as -123450.
fn pence(text: &str) -> i64 {
    text.replace(['£', ',', '.'], "")
        .parse()
        .unwrap_or_else(|_| panic!("`{text}` is not an amount"))
}

/// The report of a demo that ends by itself; it must end well.
fn played() -> Report {
    let output = Command::new(env!("CARGO_BIN_EXE_proffer"))
        .args(["demo", "--once"])
        .args(LOCAL)
        .output()
        .unwrap();
    let (told, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{stderr}");
    assert_eq!(stderr, "", "stderr is no terminal, so nothing belongs there");
    Report(told)
}

#[test]
fn the_demos_figures_agree_with_each_other_and_with_the_file() {
    let report = played();
    let expected = file_figures(today(&report));
    for (label, number) in &expected {
        assert_eq!(report.figure("Customers", label), *number, "{label}");
    }
    let why = report.section("Effect model");
    let needs = "customers held out with the outcome: have ";
    let held_out = why.iter().find_map(|line| line.trim_start().strip_prefix(needs)).unwrap();
    assert!(held_out.ends_with(", need 100"), "{held_out}");
    let recoverable = report.figure("Customers", "recoverable");
    check_decisions(&report, recoverable);
    check_read_out(&report);
    check_words(&report);
}

fn today(report: &Report) -> NaiveDate {
    let first = report.0.lines().next().unwrap();
    let rest = first.split_once("it is ").unwrap().1;
    rest.split_once(' ').unwrap().0.parse().unwrap()
}

/// What the report must count, by label.
fn file_figures(today: NaiveDate) -> Vec<(&'static str, usize)> {
    let customers = file::customers(today);
    let count =
        |holds: &dyn Fn(&file::Customer) -> bool| customers.iter().filter(|one| holds(one)).count();
    let silent = |days: std::ops::Range<i64>| {
        count(&|one| one.days_silent.is_some_and(|silent| days.contains(&silent)))
    };
    vec![
        ("customers", customers.len()),
        ("active", silent(0..90)),
        ("lapsed", silent(90..366)),
        ("recoverable", count(&|one| one.is_recoverable)),
        ("lost", silent(366..i64::MAX)),
        ("never bought", count(&|one| one.days_silent.is_none())),
        ("without consent", count(&|one| !one.consents)),
    ]
}

/// Every decision has one answer; offers and refusals of the qualified are the recoverable of the
/// file.
fn check_decisions(report: &Report, recoverable: usize) {
    let of = |label| report.find("Decisions", label).unwrap_or(0);
    let refused: usize =
        ["holdout", "consent_withheld", "consent_unknown", "quiet_hours", "timezone_unknown"]
            .map(of)
            .iter()
            .sum();
    assert!(of("offer") > 0 && of("holdout") > 0, "{}", report.0);
    assert_eq!(of("offer") + refused, recoverable, "{}", report.0);
    assert_eq!(of("nothing_qualified") + recoverable, of("decisions"), "{}", report.0);
    assert_eq!(of("qualified"), recoverable);
    let lines = report.section("Decisions");
    let offers = lines.iter().find(|line| line.trim_start().starts_with("offer ")).unwrap();
    let by_offer = offers.trim_start().splitn(3, char::is_whitespace).nth(2).unwrap().trim_start();
    let by_offer = by_offer.split_once("  ").unwrap().1.split(" · ");
    assert_eq!(
        by_offer.map(|part| number(part.split_once(' ').unwrap().0)).sum::<usize>(),
        of("offer")
    );
    // 15 % of 4,372 within six standard deviations.
    assert!((514..=797).contains(&of("held out")), "{}", report.0);
}

/// The read-out counts everyone assigned and everything reported, and its difference is that of the
/// arms' means.
fn check_read_out(report: &Report) {
    let (treated, treated_buyers, treated_pence) = report.arm("treatment");
    let (held_out, held_out_buyers, held_out_pence) = report.arm("holdout");
    assert_eq!(treated + held_out, report.figure("Decisions", "decisions"));
    assert_eq!(held_out, report.figure("Decisions", "held out"));
    assert_eq!(treated_buyers + held_out_buyers, report.figure("SIMULATED", "buyers"));
    assert_eq!(held_out_buyers, report.figure("SIMULATED", "held out"));
    assert_eq!(report.figure("SIMULATED", "offers shown"), report.figure("Decisions", "offer"));
    let section = report.section("SIMULATED").join(" ");
    let reported =
        section.split_once("conversions reported, £").unwrap().1.split_once(' ').unwrap().0;
    assert_eq!(treated_pence + held_out_pence, pence(reported));
    let mean = |pence: i64, customers: usize| pence as f64 / customers as f64;
    let difference = mean(treated_pence, treated) - mean(held_out_pence, held_out);
    let line = report
        .section("Read-out")
        .into_iter()
        .find(|line| line.contains("difference"))
        .unwrap()
        .to_owned();
    let told = pence(line.split_whitespace().nth(1).unwrap());
    assert!((told as f64 - difference).abs() < 1.0, "{told} instead of {difference}");
}

fn check_words(report: &Report) {
    for expected in [
        "\"daysSinceLastPurchase\"",
        "local) — deliver after 0",
        "3 offers, then frequency_cap: ",
        "  verdict            withheld",
        "    because ",
        "curl -X POST http://127.0.0.1:",
        "grpcurl -plaintext ",
    ] {
        assert!(report.0.contains(expected), "no `{expected}` in\n{}", report.0);
    }
    assert!(!report.0.contains("NaN"), "{}", report.0);
}

/// The lines to try next are real: each curl line, taken from the report and run by a shell, is
/// answered with success.
#[test]
fn every_curl_line_of_the_demo_runs_as_it_stands() {
    let demo = Process::start(Command::new(env!("CARGO_BIN_EXE_proffer")).arg("demo").args(LOCAL));
    let told = demo.lines_until("Serving on ");
    let lines: Vec<_> = told
        .iter()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with("curl "))
        .collect();
    assert!(lines.len() >= 5, "{told:#?}");
    for line in lines {
        let failing = line.replacen("curl ", "curl --fail-with-body --silent --show-error ", 1);
        let output =
            Command::new("sh").args(["-c", &failing]).stdin(Stdio::null()).output().unwrap();
        let (answer, fault) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{line}\n{answer}{fault}");
        assert!(serde_json::from_str::<serde_json::Value>(&answer).is_ok(), "{line}\n{answer}");
    }
    demo.stop("INT");
}
