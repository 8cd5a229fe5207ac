//! SQL taken apart into words and groups in parentheses.

/// A word, a sign, a string or a number; or what is between parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// In lower case. A name with its dots, a parameter with its cast.
    Word(String),
    /// Between parentheses.
    Group(Vec<Node>),
}

impl Node {
    /// The word; empty for a group.
    pub fn word(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Group(_) => "",
        }
    }

    /// What is between the parentheses; nothing for a word.
    pub fn group(&self) -> &[Node] {
        match self {
            Self::Word(_) => &[],
            Self::Group(nodes) => nodes,
        }
    }
}

/// The nodes of a text.
pub fn nodes(text: &str) -> Vec<Node> {
    let mut open = vec![Vec::new()];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' => {
                open.push(Vec::new());
                1
            }
            ')' => {
                let group = open.pop().unwrap_or_default();
                match open.last_mut() {
                    Some(outer) => outer.push(Node::Group(group)),
                    None => open.push(group),
                }
                1
            }
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            _ if first.is_whitespace() => first.len_utf8(),
            _ => length(rest, first),
        };
        let is_word = !matches!(first, '(' | ')') && !first.is_whitespace();
        if is_word && !rest.starts_with("--") {
            let word = Node::Word(rest[..length].to_lowercase());
            open.last_mut().unwrap_or(&mut Vec::new()).push(word);
        }
        rest = &rest[length..];
    }
    while open.len() > 1 {
        let group = open.pop().unwrap_or_default();
        open.last_mut().unwrap_or(&mut Vec::new()).push(Node::Group(group));
    }
    open.pop().unwrap_or_default()
}

/// Length of the name, parameter or sign that a text begins with.
fn length(text: &str, first: char) -> usize {
    let is_name = |c: char| c.is_alphanumeric() || "_.$:[]\"".contains(c);
    let is_sign = |c: char| "<>=!|-+/%*~@#&^".contains(c);
    let is_same = |c: char| {
        if is_name(first) { is_name(c) } else { is_sign(first) && is_sign(c) }
    };
    let end = text.find(|c: char| !is_same(c)).unwrap_or(text.len());
    end.max(first.len_utf8())
}
