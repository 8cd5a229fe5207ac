//! Refusals as callers see them.

use history::HistoryError;
use serve::Problem;
use tonic::Status;

use crate::domain::{Faults, name::quoted};

/// Bytes of faults told at most, the count of the others left out. `Problem` lets 6 KiB of them
/// pass, since they travel in trailers.
const FAULTS_BYTES_MAX: usize = 5 * 1024;
/// Longest message of one fault, in bytes.
const FAULT_BYTES_MAX: usize = 400;
/// Longest reference to a resource, in bytes; no name is longer.
const REFERENCE_BYTES_MAX: usize = 800;

/// All faults of a request: INVALID_ARGUMENT.
pub fn invalid(faults: Faults) -> Status {
    let (mut told, mut bytes, count) = (Faults::new(), 0, faults.len());
    for (path, message) in faults {
        let message = clipped(&message);
        bytes += path.len() + message.len();
        if bytes > FAULTS_BYTES_MAX && !told.is_empty() {
            let more = count - told.len();
            let path = told.last().map(|(path, _)| path.clone()).unwrap_or_default();
            told.push((path, format!("and {more} more faults: mend these first")));
            break;
        }
        told.push((path, message));
    }
    Problem::invalid_fields(told).into()
}

/// One fault of a request.
pub fn invalid_field(path: &str, message: impl Into<String>) -> Status {
    invalid(vec![(path.to_owned(), message.into())])
}

/// A refusal of the log.
pub fn refused(error: HistoryError) -> Status {
    match error {
        HistoryError::Invalid(faults) => invalid(faults),
        other => other.into(),
    }
}

/// A reference to a resource that may be looked up; nothing is named otherwise.
pub fn reference<'a>(kind: &str, named: &'a str) -> Result<&'a str, Status> {
    let is_possible = !named.is_empty()
        && named.len() <= REFERENCE_BYTES_MAX
        && !named.chars().any(char::is_control);
    if is_possible { Ok(named) } else { Err(Problem::not_found(kind, &quoted(named)).into()) }
}

/// The faults with a path in front.
pub fn within(prefix: &str, faults: Faults) -> Faults {
    faults.into_iter().map(|(path, message)| (format!("{prefix}.{path}"), message)).collect()
}

/// A message cut to a length that a trailer can carry.
pub fn clipped(message: &str) -> String {
    if message.len() <= FAULT_BYTES_MAX {
        return message.to_owned();
    }
    let mut end = FAULT_BYTES_MAX;
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", message.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn what_a_trailer_cannot_carry_is_counted() {
        let faults = (0..500)
            .map(|n| (format!("offer.qualification_rules[{n}].field"), "x".repeat(500)))
            .collect();
        let status = invalid(faults);
        let told = status.get_error_details().bad_request().unwrap().field_violations.clone();
        assert!(told.len() > 10);
        let more = 500 - (told.len() - 1);
        assert_eq!(
            told.last().unwrap().description,
            format!("and {more} more faults: mend these first")
        );
        assert!(status.details().len() < 10 * 1024, "{}", status.details().len());
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(clipped("short"), "short");
        let cut = clipped(&"é".repeat(300));
        assert_eq!(cut.chars().count(), 201);
    }

    #[test]
    fn nothing_is_named_beyond_what_names_may_be() {
        for wrong in ["", "a\0", "a\nb", &"x".repeat(801)] {
            assert_eq!(
                reference("offer", wrong).unwrap_err().code(),
                tonic::Code::NotFound,
                "{wrong}"
            );
        }
        assert!(reference("offer", "Apparel — 20% back").is_ok());
    }
}
