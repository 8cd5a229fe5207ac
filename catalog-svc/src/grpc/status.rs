//! Shortens messages of errors that are too long for a status.

/// Longest message of one fault, in bytes.
const FAULT_BYTES_MAX: usize = 400;

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
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(clipped("short"), "short");
        let cut = clipped(&"é".repeat(300));
        assert_eq!(cut.chars().count(), 201);
    }
}
