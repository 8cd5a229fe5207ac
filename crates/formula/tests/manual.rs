//! `docs/formulas.md` beside the specification: it names every operator and function, and each of
//! its examples is a row of the specification with the same result.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const MANUAL: &str = "../../docs/formulas.md";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Formula and result of every row of the specification.
fn specified() -> BTreeMap<String, String> {
    let chapters = ["01-literals", "02-operators", "03-null", "04-numbers", "05-text", "06-dates"];
    let mut rows = BTreeMap::new();
    for chapter in chapters {
        let text = read(&format!("spec/{chapter}.csv"));
        for row in text.lines().filter(|row| !row.starts_with('#')) {
            let (formula, result) = row.split_once(';').unwrap();
            rows.insert(formula.to_owned(), result.to_owned());
        }
    }
    rows
}

/// The cells of the table rows of the page: what is explained, an example, its result.
fn rows() -> Vec<[String; 3]> {
    let text = read(MANUAL);
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        // A bar within a cell is written with a backslash.
        let line = line.replace("\\|", "\u{1}");
        let cells: Vec<String> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().replace('\u{1}', "|").trim_matches('`').to_owned())
            .collect();
        let [what, _, example, result] = cells.as_slice() else { panic!("{line}") };
        [what.clone(), example.clone(), result.clone()]
    })
    .collect()
}

#[test]
fn the_page_of_formulas_names_every_operator_and_function() {
    let explained: BTreeSet<String> = rows()
        .iter()
        .flat_map(|[what, ..]| what.split("`, `").map(str::to_owned).collect::<Vec<_>>())
        .map(|what| what.split('(').next().unwrap().to_owned())
        .collect();
    let known: BTreeSet<String> =
        formula::functions().chain(formula::operators()).map(str::to_owned).collect();
    assert_eq!(explained, known);
}

#[test]
fn every_example_of_the_page_of_formulas_is_a_row_of_the_specification() {
    let specified = specified();
    let rows = rows();
    for [what, example, result] in &rows {
        let found = specified.get(example);
        assert_eq!(found, Some(result), "{what}: {example}");
    }
    assert!(rows.len() >= formula::functions().count());
}
