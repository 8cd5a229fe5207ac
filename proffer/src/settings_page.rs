//! The table of settings in docs/operations.md is what the programs take.

use std::{fs, path::Path};

use clap::CommandFactory as _;

use super::Arguments;

/// The lines between which the table is.
const BEGIN: &str = "<!-- settings: written by `cargo xtask bless` -->\n";
const END: &str = "<!-- end of settings -->\n";

fn table() -> String {
    let proffer = Arguments::command();
    let below = proffer.get_subcommands().filter(|command| command.get_name() != "check-config");
    let below: Vec<_> = below.cloned().collect();
    let names: Vec<_> =
        below.iter().map(|command| format!("proffer {}", command.get_name())).collect();
    let mut programs: Vec<_> = names.iter().map(String::as_str).zip(below).collect();
    programs.extend([
        ("catalog-svc", catalog_svc::Config::command()),
        ("policy-svc", policy_svc::Config::command()),
        ("decision-svc", decision_svc::Config::command()),
        ("experiment-svc", experiment_svc::Config::command()),
        ("gateway", gateway::Settings::command()),
    ]);
    serve::settings_table(&programs)
}

#[test]
fn the_golden_table_of_settings_is_what_the_programs_take() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    testkit::golden(path, &format!("{before}{BEGIN}\n{}\n{END}{after}", table()));
}

#[test]
fn every_setting_has_a_flag_of_its_own_and_a_meaning() {
    for line in table().lines().skip(2) {
        let cells: Vec<_> = line.split(" | ").collect();
        assert!(cells[0].starts_with("| `--") && cells[1].starts_with("`PROFFER_"), "{line}");
        assert!(!cells[cells.len() - 1].trim_end_matches('|').trim().is_empty(), "{line}");
    }
}
