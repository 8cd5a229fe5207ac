//! Lists within a text: items between commas, of which each may stand in double quotes.

/// The items, without outer space. An item that begins with a quote ends with one, and `""` in it
/// is a quote; any other item is read as it is.
pub fn items(text: &str) -> Result<Vec<String>, String> {
    let (mut items, mut rest) = (Vec::new(), text);
    loop {
        rest = rest.trim_start();
        let Some(quoted) = rest.strip_prefix('"') else {
            let (item, after) = rest.split_once(',').map_or((rest, None), |(i, r)| (i, Some(r)));
            items.push(item.trim().to_owned());
            match after {
                Some(after) => rest = after,
                None => return Ok(items),
            }
            continue;
        };
        let (item, after) = unquoted(quoted)?;
        items.push(item.trim().to_owned());
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(after) => after,
            None if after.is_empty() => return Ok(items),
            None => {
                return Err(
                    "has text after a closing quote: write `,` before the next value, and `\"\"` \
                     for a quote within one"
                        .to_owned(),
                );
            }
        };
    }
}

/// An item after its opening quote, and what follows the closing one.
fn unquoted(text: &str) -> Result<(String, &str), String> {
    let (mut item, mut rest) = (String::new(), text);
    loop {
        let Some((part, after)) = rest.split_once('"') else {
            return Err("has a quote that is not closed".to_owned());
        };
        item.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                item.push('"');
                rest = after;
            }
            None => return Ok((item, after)),
        }
    }
}

/// Where a scan of a text of clauses is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the word before the list.
    Word,
    /// Before an item.
    Begin,
    /// Within quotes.
    Quoted,
    /// After a quote that closes an item, unless another one follows.
    Closed,
    /// In an item without quotes.
    Plain,
}

/// The clauses between semicolons; one within a quoted item separates nothing.
pub fn clauses(text: &str) -> Vec<&str> {
    let (mut clauses, mut from, mut place) = (Vec::new(), 0, Place::Word);
    for (at, c) in text.char_indices() {
        place = match (place, c) {
            (Place::Quoted, '"') => Place::Closed,
            (Place::Quoted, _) | (Place::Begin | Place::Closed, '"') => Place::Quoted,
            (_, ';') => {
                clauses.extend(text.get(from..at));
                from = at + 1;
                Place::Word
            }
            (Place::Word, ':') | (Place::Begin | Place::Closed | Place::Plain, ',') => Place::Begin,
            (Place::Begin, c) if c.is_whitespace() => Place::Begin,
            (Place::Word, _) => Place::Word,
            (Place::Begin | Place::Closed | Place::Plain, _) => Place::Plain,
        };
    }
    clauses.extend(text.get(from..));
    clauses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[&str], &str>) {
        match expected {
            Ok(expected) => assert_eq!(items(text).unwrap(), expected, "{text}"),
            Err(expected) => {
                let fault = items(text).unwrap_err();
                assert!(fault.contains(expected), "{text}: {fault}");
            }
        }
    }

    #[test]
    fn a_list_item_may_stand_in_double_quotes() {
        check("Apparel,Electronics,Home", Ok(&["Apparel", "Electronics", "Home"]));
        check(" a , b ", Ok(&["a", "b"]));
        check("\"Home, garden\",Toys", Ok(&["Home, garden", "Toys"]));
        check(" \"a\" , \"b\" ", Ok(&["a", "b"]));
        check("\"12\"\" vinyl\"", Ok(&["12\" vinyl"]));
        check("\"\",a", Ok(&["", "a"]));
        check("", Ok(&[""]));
        check("a,,b", Ok(&["a", "", "b"]));
        check("\"a", Err("not closed"));
        check("\"a\"b", Err("after a closing quote"));
    }

    /// Names that hold a quote, but do not begin with one, read as before.
    #[test]
    fn an_unquoted_item_keeps_its_quotes() {
        check("12\" vinyl,7\"", Ok(&["12\" vinyl", "7\""]));
    }

    #[test]
    fn a_semicolon_within_quotes_separates_nothing() {
        let check = |text: &str, expected: &[&str]| assert_eq!(clauses(text), expected, "{text}");
        check("channel:a;category:b", &["channel:a", "category:b"]);
        check("category:\"a;b\",c;offer:d", &["category:\"a;b\",c", "offer:d"]);
        check("category:\"a\"\";b\";offer:d", &["category:\"a\"\";b\"", "offer:d"]);
        check("category:12\" vinyl;offer:d", &["category:12\" vinyl", "offer:d"]);
    }
}
