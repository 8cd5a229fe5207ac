//! Splits the text of a formula into tokens.

use std::sync::Arc;

use crate::{FormulaError, Number};

/// Longest source, in bytes.
pub const SOURCE_BYTES_MAX: usize = 4 * 1024;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Number(Number),
    Text(Arc<str>),
    Name(String),
    Symbol(&'static str),
    End,
}

#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub token: Token,
    pub position: usize,
}

/// Longer symbols first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 20] = [
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", "(", ")",
    ",", ".",
];

/// Symbols of other languages and what means the same here, longer ones first.
const FOREIGN: [(&str, &str); 10] = [
    ("===", "=="),
    ("!==", "!="),
    ("<>", "!="),
    ("=<", "<="),
    ("=>", ">="),
    ("**", "pow(x, y)"),
    ("^", "pow(x, y)"),
    ("&", "&&"),
    ("|", "||"),
    ("=", "=="),
];

pub(crate) fn tokens(source: &str) -> Result<Vec<Placed>, FormulaError> {
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!("{} bytes exceed the maximum {SOURCE_BYTES_MAX}", source.len());
        return Err(FormulaError::new(SOURCE_BYTES_MAX, message));
    }
    let mut tokens = Vec::new();
    let mut rest = source;
    loop {
        rest = rest.trim_start();
        let position = source.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            tokens.push(Placed { token: Token::End, position });
            return Ok(tokens);
        };
        let (token, length) = if first.is_ascii_digit() {
            number(rest, position)?
        } else if first == '"' || first == '\'' {
            text(rest, first, position)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length =
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Token::Name(rest.get(..length).unwrap_or_default().to_owned()), length)
        } else {
            let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
            let bytes = symbol.map_or(0, |symbol| symbol.len());
            let foreign = FOREIGN.iter().find(|(found, _)| rest.starts_with(found));
            if let Some((found, meant)) = foreign.filter(|(found, _)| found.len() > bytes) {
                let message = format!("`{found}` is no operator here: write `{meant}`");
                return Err(FormulaError::new(position, message));
            }
            let symbol = symbol.ok_or_else(|| {
                FormulaError::new(position, format!("unexpected character `{first}`"))
            })?;
            (Token::Symbol(symbol), symbol.len())
        };
        tokens.push(Placed { token, position });
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn number(rest: &str, position: usize) -> Result<(Token, usize), FormulaError> {
    let digits = |from: usize| {
        let tail = rest.get(from..).unwrap_or_default();
        from + tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len())
    };
    let starts =
        |at: usize, wanted: &[char]| rest.get(at..).is_some_and(|tail| tail.starts_with(wanted));
    let mut end = digits(0);
    if starts(end, &['.']) && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if starts(end, &['e', 'E']) {
        let sign = usize::from(starts(end + 1, &['+', '-']));
        if digits(end + 1 + sign) > end + 1 + sign {
            end = digits(end + 1 + sign);
        }
    }
    let literal = rest.get(..end).unwrap_or_default();
    match Number::parse(literal) {
        Some(number) => Ok((Token::Number(number), end)),
        None => Err(FormulaError::new(position, format!("number `{literal}` is out of range"))),
    }
}

fn text(rest: &str, quote: char, position: usize) -> Result<(Token, usize), FormulaError> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return Ok((Token::Text(text.into()), at + 1)),
            '\\' => {
                let fault = || {
                    FormulaError::new(
                        position + at,
                        "unknown escape; use \\\" \\' \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX",
                    )
                };
                let (_, escape) = chars.next().ok_or_else(fault)?;
                text.push(match escape {
                    '"' | '\'' | '\\' | '/' => escape,
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => {
                        let high = hex4(&mut chars).ok_or_else(fault)?;
                        let code = if (0xD800..0xDC00).contains(&high) {
                            let is_pair = chars.next().is_some_and(|(_, c)| c == '\\')
                                && chars.next().is_some_and(|(_, c)| c == 'u');
                            let low = if is_pair { hex4(&mut chars) } else { None };
                            let low = low.filter(|low| (0xDC00..0xE000).contains(low));
                            let low = low.ok_or_else(|| {
                                FormulaError::new(position + at, "half of a surrogate pair")
                            })?;
                            0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
                        } else {
                            high
                        };
                        char::from_u32(code).ok_or_else(|| {
                            FormulaError::new(position + at, "half of a surrogate pair")
                        })?
                    }
                    _ => return Err(fault()),
                });
            }
            _ => text.push(c),
        }
    }
    Err(FormulaError::new(position, format!("string without closing {quote}")))
}

fn hex4(chars: &mut impl Iterator<Item = (usize, char)>) -> Option<u32> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + chars.next()?.1.to_digit(16)?;
    }
    Some(code)
}
