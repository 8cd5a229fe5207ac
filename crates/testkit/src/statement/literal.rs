//! SQL in Rust source.

/// Texts of a source file that look like SQL; those of its tests are left out.
pub fn sql_literals(source: &str) -> Vec<String> {
    let product = source.split("#[cfg(test)]").next().unwrap_or_default();
    literals(product).into_iter().map(|text| flat(&text)).filter(|text| is_sql(text)).collect()
}

/// A text with single spaces.
pub fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// True when the pieces of a text, which `{…}` separate, follow each other in `whole`.
pub fn is_part(text: &str, whole: &str) -> bool {
    let mut rest = whole;
    let pieces = text.split('{').enumerate().map(|(place, piece)| match place {
        0 => piece,
        _ => piece.split_once('}').map_or("", |(_, piece)| piece.trim_start_matches('}')),
    });
    pieces.map(str::trim).all(|piece| match rest.find(piece) {
        Some(place) => {
            rest = &rest[place + piece.len()..];
            true
        }
        None => false,
    })
}

fn is_sql(text: &str) -> bool {
    let text = format!(" {}", text.to_lowercase().replace('(', " ( "));
    let begins = [
        (" select ", " from "),
        (" insert into ", " ( "),
        (" update ", " set "),
        (" delete from ", " where "),
    ];
    begins.iter().any(|(first, then)| {
        text.split_once(first).is_some_and(|(_, rest)| format!(" {rest}").contains(then))
    })
}

/// The content of every string.
fn literals(source: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), source);
    while let Some(place) = rest.find(['"', '\'', '/']) {
        let (before, at) = rest.split_at(place);
        rest = if at.starts_with("//") {
            at.split_once('\n').map_or("", |(_, rest)| rest)
        } else if at.starts_with('"') {
            let hashes = before.len() - before.trim_end_matches('#').len();
            let is_raw = before.trim_end_matches('#').ends_with('r');
            let (text, rest) = if is_raw { raw(at, hashes) } else { escaped(at) };
            found.push(text);
            rest
        } else if at.starts_with("'\\") {
            at.get(2..).and_then(|at| at.split_once('\'')).map_or("", |(_, rest)| rest)
        } else if at.chars().nth(2) == Some('\'') {
            at.char_indices().nth(3).map_or("", |(end, _)| &at[end..])
        } else {
            &at[1..]
        };
    }
    found
}

fn raw(at: &str, hashes: usize) -> (String, &str) {
    let end = format!("\"{}", "#".repeat(hashes));
    let (text, rest) = at[1..].split_once(&end).unwrap_or((&at[1..], ""));
    (text.to_owned(), rest)
}

fn escaped(at: &str) -> (String, &str) {
    let (mut text, mut rest) = (String::new(), &at[1..]);
    loop {
        let Some(place) = rest.find(['"', '\\']) else { return (text, "") };
        text.push_str(&rest[..place]);
        if rest[place..].starts_with('"') {
            return (text, &rest[place + 1..]);
        }
        // An escape is a space at most: texts are compared without regard to it.
        text.push(' ');
        rest = rest.get(place + 2..).unwrap_or_default();
    }
}
