//! `proffer demo --large`: what is learned of simulated customers is compared with the truth.

use std::process::{Command, Stdio};

use super::process::LOCAL;

/// A customer of the report: bin, segment, what the model says and the truth, in points of %.
struct Line {
    bin: u32,
    segment: String,
    cate: f64,
    truth: f64,
}

fn demo(arguments: &[&str]) -> std::process::Output {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_proffer"));
    demo.arg("demo").args(LOCAL).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn line(line: &str) -> Line {
    let words: Vec<_> = line.split_whitespace().collect();
    let [_, _, _, _, cate, bin, segment, truth] = words[..] else { panic!("{line}") };
    let number = |text: &str| text.parse().unwrap();
    Line {
        bin: bin.parse().unwrap(),
        segment: segment.to_owned(),
        cate: number(cate),
        truth: number(truth),
    }
}

#[test]
fn what_is_learned_of_simulated_customers_stands_beside_the_truth() {
    let output = demo(&["--large", "--customers", "5000", "--once"]);
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.contains("SIMULATED: 5,000 customers"), "{report}");
    let customers = report.split("\nCustomers (").nth(1).unwrap_or_else(|| panic!("{report}"));
    let lines = customers.lines().skip(2).take_while(|line| !line.is_empty());
    let lines: Vec<_> = lines.map(line).collect();
    assert!(lines.iter().map(|line| line.bin).eq(1..=10), "one customer of each bin: {report}");
    let persuadable = lines.last().unwrap();
    assert_eq!(persuadable.segment, "persuadable", "{report}");
    assert!(persuadable.cate > 0.0 && persuadable.truth > 0.0, "{report}");
    let off = |line: &Line| (line.cate - line.truth).abs();
    let mean = lines.iter().map(off).sum::<f64>() / 10.0;
    assert!(mean < 5.0, "the model is {mean} points off: {report}");
}

#[test]
fn the_number_of_customers_is_only_for_the_large_demo() {
    let output = demo(&["--customers", "5000", "--once"]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--customers is only for --large"), "{said}");
}
