//! Parses query strings into decoded parameters.

use std::borrow::Cow;

use crate::path_template::decode;

/// Parameters of one request.
pub const PARAMETERS_MAX: usize = 100;

/// A query string that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// An escape is broken or the bytes are not UTF-8.
    #[error("is not percent-encoded UTF-8")]
    Encoding(String),
    /// There are too many.
    #[error("has {0} parameters, which exceeds the maximum {PARAMETERS_MAX}")]
    TooMany(usize),
}

/// The parameters of a raw query, decoded, in order.
pub fn parse(raw: &str) -> Result<Vec<(String, String)>, QueryError> {
    let pairs = || raw.split('&').filter(|pair| !pair.is_empty());
    let count = pairs().count();
    if count > PARAMETERS_MAX {
        return Err(QueryError::TooMany(count));
    }
    let mut parameters = Vec::with_capacity(count);
    for pair in pairs() {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = |raw: &str| {
            let spaced = raw.replace('+', " ");
            decode(&spaced).map(Cow::into_owned).ok_or_else(|| QueryError::Encoding(key.to_owned()))
        };
        parameters.push((text(key)?, text(value)?));
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_in_order() {
        let got = parse("customerId=a%26b+c&&pageSize=5&flag").unwrap();
        let expected = [("customerId", "a&b c"), ("pageSize", "5"), ("flag", "")];
        assert_eq!(got, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert_eq!(parse("a=%ff"), Err(QueryError::Encoding("a".into())));
        assert!(parse(&"a=1&".repeat(PARAMETERS_MAX)).is_ok());
        assert_eq!(parse(&"a=1&".repeat(PARAMETERS_MAX + 1)), Err(QueryError::TooMany(101)));
    }
}
