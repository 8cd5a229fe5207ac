//! Reason codes by the word that JSON and traces use: `REASON_CODE_QUIET_HOURS` is `quiet_hours`.

use std::sync::LazyLock;

use proffer_proto::values::v1::ReasonCode;

const PREFIX: &str = "REASON_CODE_";

/// Words by number; the first, of `REASON_CODE_UNSPECIFIED`, is empty.
static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let codes = (1..).map_while(|number| ReasonCode::try_from(number).ok());
    let words = codes.map(|code| code.as_str_name().replace(PREFIX, "").to_lowercase());
    std::iter::once(String::new()).chain(words).collect()
});

/// The code of a word; `None` when the contract has no such reason.
pub fn code(word: &str) -> Option<ReasonCode> {
    let number = WORDS.iter().position(|known| known == word).filter(|number| *number > 0)?;
    ReasonCode::try_from(i32::try_from(number).ok()?).ok()
}

/// The word of a code; empty for `REASON_CODE_UNSPECIFIED`.
pub fn word(code: ReasonCode) -> &'static str {
    let number = usize::try_from(i32::from(code)).ok();
    number.and_then(|number| WORDS.get(number)).map_or("", String::as_str)
}

/// All words of the contract.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().skip(1).map(String::as_str)
}

/// Makes the enum of a service's reasons, each with its word in the contract.
#[macro_export]
macro_rules! reasons {
    ($name:ident { $($reason:ident => $word:literal),* $(,)? }) => {
        /// A reason for programs. The contract says what each means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the contract describes them")]
        pub enum $name { $($reason),* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$reason),*];

            /// The word for it in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$reason => $word),* }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_codes_are_read_back() {
        assert_eq!(code("quiet_hours"), Some(ReasonCode::QuietHours));
        assert_eq!((code(""), code("QUIET_HOURS")), (None, None));
        assert_eq!(word(ReasonCode::Unspecified), "");
        assert!(words().all(|known| code(known).is_some_and(|code| word(code) == known)));
        // The numbers have no gap: a code after one would have no word.
        let in_contract = (1..200).filter(|number| ReasonCode::try_from(*number).is_ok());
        assert_eq!(in_contract.count(), words().count());
    }
}
