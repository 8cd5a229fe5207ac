//! Rust source taken apart into code, comments and strings, so that a rule about code is not fooled
//! by prose.

/// One source file, line by line.
#[derive(Debug)]
pub struct Rust {
    /// Path from the root.
    pub path: String,
    /// Code without comments and without the content of strings.
    pub code: Vec<String>,
    /// Content of the strings that begin on each line.
    pub strings: Vec<Vec<String>>,
    /// Text of the line comment on each line, if there is one.
    pub comments: Vec<String>,
    /// First line, from 0, of the tests at the end.
    pub tests_from: usize,
    /// Whether it opens with a sentence on what it is for.
    pub has_doc: bool,
}

impl Rust {
    /// Takes `text` apart.
    pub fn read(path: &str, text: &str) -> Self {
        let mut reader = Reader {
            rest: text.chars().collect(),
            at: 0,
            code: vec![String::new()],
            strings: vec![vec![]],
            comments: vec![String::new()],
        };
        reader.read_all();
        let marker = reader.code.iter().position(|line| line.trim() == "#[cfg(test)]");
        let tests_from = if is_test_path(path) { 0 } else { marker.unwrap_or(reader.code.len()) };
        let has_doc = text.trim_start().starts_with("//!");
        Self {
            path: path.to_owned(),
            code: reader.code,
            strings: reader.strings,
            comments: reader.comments,
            tests_from,
            has_doc,
        }
    }

    /// Whether all of it is tests.
    pub fn is_test_file(&self) -> bool {
        is_test_path(&self.path)
    }

    /// Lines of the product's own code, numbered from 1.
    pub fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().take(self.tests_from)
    }

    /// All lines of code, numbered from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.iter().map(String::as_str))
    }
}

fn is_test_path(path: &str) -> bool {
    path.contains("/tests/") || path.contains("/tests.rs") || path.contains("/benches/")
}

struct Reader {
    rest: Vec<char>,
    at: usize,
    code: Vec<String>,
    strings: Vec<Vec<String>>,
    comments: Vec<String>,
}

impl Reader {
    fn read_all(&mut self) {
        while let Some(next) = self.peek(0) {
            let after_word =
                self.code.last().and_then(|line| line.chars().last()).is_some_and(is_word);
            match (next, self.peek(1)) {
                ('/', Some('/')) => self.line_comment(),
                ('/', Some('*')) => self.block_comment(),
                ('"', _) => self.string(0, false),
                ('r' | 'b' | 'c', _) if !after_word && self.raw_hashes().is_some() => {
                    let (prefix, hashes) = self.raw_hashes().unwrap_or_default();
                    self.at += prefix;
                    self.string(hashes, true);
                }
                ('\'', Some('\\')) => {
                    self.at += 3;
                    self.skip_while(|c| c != '\'');
                    self.at += 1;
                }
                ('\'', _) if self.peek(2) == Some('\'') => self.at += 3,
                _ => self.push(next),
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn push(&mut self, c: char) {
        self.at += 1;
        if c == '\n' {
            self.code.push(String::new());
            self.strings.push(Vec::new());
            self.comments.push(String::new());
        } else if let Some(line) = self.code.last_mut() {
            line.push(c);
        }
    }

    fn skip_while(&mut self, skips: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&skips) {
            self.at += 1;
        }
    }

    fn line_comment(&mut self) {
        while let Some(c) = self.peek(0).filter(|c| *c != '\n') {
            self.comments.last_mut().into_iter().for_each(|comment| comment.push(c));
            self.at += 1;
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while let Some(c) = self.peek(0) {
            match (c, self.peek(1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    if c == '\n' {
                        self.push(c);
                    } else {
                        self.at += 1;
                    }
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
    }

    /// Characters before the hashes and their number, when a raw string begins here.
    fn raw_hashes(&self) -> Option<(usize, usize)> {
        let prefix = match (self.peek(0), self.peek(1)) {
            (Some('b' | 'c'), Some('r')) => 2,
            (Some('r'), _) => 1,
            _ => return None,
        };
        let mut hashes = 0;
        while self.peek(prefix + hashes) == Some('#') {
            hashes += 1;
        }
        (self.peek(prefix + hashes) == Some('"')).then_some((prefix + hashes, hashes))
    }

    /// Reads a string whose opening quote is next; its content goes to the line it begins on.
    fn string(&mut self, hashes: usize, is_raw: bool) {
        let first_line = self.strings.len() - 1;
        let mut content = String::new();
        self.push('"');
        while let Some(c) = self.peek(0) {
            let closes = c == '"' && (0..hashes).all(|i| self.peek(1 + i) == Some('#'));
            if closes {
                self.push('"');
                self.at += hashes;
                break;
            }
            if c == '\n' {
                self.push(c);
            } else if c == '\\' && !is_raw && self.peek(1) != Some('\n') {
                self.at += 2;
            } else {
                self.at += 1;
            }
            content.push(c);
        }
        if let Some(line) = self.strings.get_mut(first_line) {
            line.push(content);
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `code` has `word` as a word of its own.
pub fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().last());
        let after = code.get(at + word.len()..).and_then(|text| text.chars().next());
        let begins = word.chars().next().is_some_and(is_word) && before.is_some_and(is_word);
        let ends = word.chars().last().is_some_and(is_word) && after.is_some_and(is_word);
        !begins && !ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_strings_and_comments_are_separated() {
        let check = |text: &str, code: &str, strings: &[&str]| {
            let read = Rust::read("x.rs", text);
            assert_eq!(read.code.join("\n"), code);
            assert_eq!(read.strings.concat(), strings);
        };
        assert_eq!(Rust::read("x.rs", "a // b\n\"// c\"").comments, ["// b", ""]);
        check("a(\"b // c\"); // d", "a(\"\"); ", &["b // c"]);
        check("r#\"a\"b\"# + 'x' /* y\n z */ w", "\"\" +  \n w", &["a\"b"]);
        check("fn f<'a>(x: &'a str) -> char { '\\'' }", "fn f<'a>(x: &'a str) -> char {  }", &[]);
        check("for \"a\\\"b\"", "for \"\"", &["a\\b"]);
    }

    #[test]
    fn a_word_is_not_part_of_another() {
        assert!(has_word("use tonic::Status", "tonic"));
        assert!(!has_word("use atonic", "tonic"));
        assert!(!has_word("tonic_types", "tonic"));
        assert!(has_word("x.await?", ".await"));
    }
}
