//! Paths in a JSON text, as callers write them: `config.nodes[2].config.colour`.

/// Characters of the caller's own text repeated in a path.
const QUOTED_CHARS_MAX: usize = 64;

/// Adds a key to a written path, in brackets unless it is a plain word.
pub fn push_key(out: &mut String, key: &str) {
    let is_word = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_word {
        out.push_str(&format!("[{:?}]", quoted(key)));
        return;
    }
    if !out.is_empty() {
        out.push('.');
    }
    out.push_str(&quoted(key));
}

/// Adds an index to a written path.
pub fn push_index(out: &mut String, index: &str) {
    out.push('[');
    out.push_str(index);
    out.push(']');
}

/// The caller's text, cut to a length that can be repeated.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// A proto path in camelCase.
pub fn camel(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut is_start = false;
    for c in path.chars() {
        match c {
            '_' => is_start = true,
            c if is_start => {
                out.push(c.to_ascii_uppercase());
                is_start = false;
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_of_the_caller_is_cut() {
        assert_eq!(quoted(&"é".repeat(64)), "é".repeat(64));
        assert_eq!(quoted(&"é".repeat(65)), format!("{}…", "é".repeat(64)));
    }
}
