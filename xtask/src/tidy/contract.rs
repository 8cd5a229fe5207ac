//! The rule that ties the error reasons of the contract to the code: each is produced somewhere.

use super::{Violation, source::Rust};
use crate::repository::SourceFile;

const REASONS: &str = "proto/proffer/errors/v1/error_reason.proto";
const PREFIX: &str = "ERROR_REASON_";

/// Every reason that the contract lists is produced somewhere.
pub fn check(files: &[SourceFile], rust: &[Rust], found: &mut Vec<Violation>) {
    let Some(contract) = files.iter().find(|file| file.path == REASONS) else { return };
    for (line, text) in (1..).zip(contract.text.lines()) {
        let Some((name, _)) =
            text.trim_start().strip_prefix(PREFIX).and_then(|rest| rest.split_once(" = "))
        else {
            continue;
        };
        if name == "UNSPECIFIED" {
            continue;
        }
        let produced = format!("ErrorReason::{}", camel_case(name));
        let is_produced = |file: &Rust| {
            !file.path.starts_with("proto/")
                && !file.path.starts_with("conformance/")
                && file.product().any(|(_, code)| super::source::has_word(code, &produced))
        };
        if !rust.iter().any(is_produced) {
            let what = format!(
                "`{produced}` is never produced: produce it or take it out of the contract"
            );
            found.push(Violation::new(REASONS, line, what));
        }
    }
}

fn camel_case(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{first}{}", rest.to_lowercase())
    });
    words.collect()
}
