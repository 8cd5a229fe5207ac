//! Parses tokens into the syntax tree. The parser counts depth before it recurses, so no input can
//! exhaust the stack.

use crate::{
    FormulaError, Value,
    ast::{Kind, Node, Operator},
    function::Function,
    lexer::{Placed, Token, tokens},
};

/// Deepest nesting: parentheses, signs, calls and conditionals all count.
pub const DEPTH_MAX: usize = 64;
/// Most nodes: literals, names, operators and calls.
pub const NODES_MAX: usize = 512;

/// A parsed formula and the names it refers to, in order of first use.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub root: Node,
    pub names: Vec<String>,
    /// The first position of each name.
    pub positions: Vec<usize>,
}

pub(crate) fn parse(source: &str) -> Result<Parsed, FormulaError> {
    let tokens = tokens(source)?;
    let mut parser =
        Parser { tokens, at: 0, depth: 0, nodes: 0, names: Vec::new(), positions: Vec::new() };
    let root = parser.conditional()?;
    match parser.peek().token {
        Token::End => Ok(Parsed { root, names: parser.names, positions: parser.positions }),
        _ => Err(parser.unexpected()),
    }
}

/// Words of other languages and what means the same here.
const FOREIGN: [(&str, &str); 9] = [
    ("and", "&&"),
    ("or", "||"),
    ("not", "!"),
    ("eq", "=="),
    ("is", "=="),
    ("mod", "%"),
    ("div", "/"),
    ("then", "? :"),
    ("like", "contains(x, part)"),
];

/// What a word of another language is here.
fn meant(word: &str) -> Option<&'static str> {
    FOREIGN.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, meant)| *meant)
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    depth: usize,
    nodes: usize,
    names: Vec<String>,
    positions: Vec<usize>,
}

/// Binary operators, loosest first.
const LEVELS: [&[(&str, Operator)]; 6] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[("==", Operator::Equal), ("!=", Operator::NotEqual)],
    &[
        ("<", Operator::Less),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        (">=", Operator::GreaterOrEqual),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)],
];

impl Parser {
    fn peek(&self) -> Placed {
        // INVARIANT: the last token is the end, and nothing moves past it.
        self.tokens.get(self.at).cloned().unwrap_or(Placed { token: Token::End, position: 0 })
    }

    fn next(&mut self) -> Placed {
        let placed = self.peek();
        if placed.token != Token::End {
            self.at += 1;
        }
        placed
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let is_it = matches!(self.peek().token, Token::Symbol(found) if found == symbol);
        self.at += usize::from(is_it);
        is_it
    }

    fn expect(&mut self, symbol: &str) -> Result<(), FormulaError> {
        if self.eat(symbol) { Ok(()) } else { Err(self.missing(&format!("`{symbol}`"))) }
    }

    /// What is expected, unless a word of another language is there.
    fn missing(&self, what: &str) -> FormulaError {
        match self.peek() {
            Placed { token: Token::Name(name), .. } if meant(&name).is_some() => self.unexpected(),
            _ => self.expected(what),
        }
    }

    /// What comes where only an operator or the end may come.
    fn unexpected(&self) -> FormulaError {
        let word = |at: Option<usize>| match at.and_then(|at| self.tokens.get(at)) {
            Some(Placed { token: Token::Name(name), position }) => {
                meant(name).map(|meant| (name, *position, meant))
            }
            _ => None,
        };
        let before = self.at.checked_sub(1).filter(|_| matches!(self.peek().token, Token::Name(_)));
        if let Some((name, position, meant)) = word(Some(self.at)).or_else(|| word(before)) {
            let message = format!("`{name}` is no operator here: write `{meant}`");
            return FormulaError::new(position, message);
        }
        self.expected("an operator or the end")
    }

    fn expected(&self, what: &str) -> FormulaError {
        FormulaError::new(self.peek().position, format!("expected {what}"))
    }

    fn node(&mut self, position: usize, kind: Kind) -> Result<Node, FormulaError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(FormulaError::new(
                position,
                format!("more than {NODES_MAX} names, values and operators"),
            ));
        }
        Ok(Node { kind, position })
    }

    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, FormulaError>,
    ) -> Result<T, FormulaError> {
        if self.depth >= DEPTH_MAX {
            return Err(FormulaError::new(
                self.peek().position,
                format!("nested deeper than {DEPTH_MAX}"),
            ));
        }
        self.depth += 1;
        let done = inner(self);
        self.depth -= 1;
        done
    }

    fn conditional(&mut self) -> Result<Node, FormulaError> {
        let condition = self.binary(&LEVELS)?;
        let position = self.peek().position;
        if !self.eat("?") {
            return Ok(condition);
        }
        let then = self.deeper(Self::conditional)?;
        self.expect(":")?;
        let otherwise = self.deeper(Self::conditional)?;
        self.node(
            position,
            Kind::Conditional(Box::new(condition), Box::new(then), Box::new(otherwise)),
        )
    }

    fn binary(&mut self, levels: &[&[(&str, Operator)]]) -> Result<Node, FormulaError> {
        let Some((level, tighter)) = levels.split_first() else { return self.unary() };
        let mut left = self.binary(tighter)?;
        loop {
            let Placed { token, position } = self.peek();
            let Token::Symbol(found) = token else { return Ok(left) };
            let Some((_, operator)) = level.iter().find(|(symbol, _)| *symbol == found) else {
                return Ok(left);
            };
            self.at += 1;
            let right = self.binary(tighter)?;
            left = self.node(position, Kind::Binary(*operator, Box::new(left), Box::new(right)))?;
        }
    }

    fn unary(&mut self) -> Result<Node, FormulaError> {
        let position = self.peek().position;
        if self.eat("-") {
            let operand = self.deeper(Self::unary)?;
            return self.node(position, Kind::Negate(Box::new(operand)));
        }
        if self.eat("!") {
            let operand = self.deeper(Self::unary)?;
            return self.node(position, Kind::Not(Box::new(operand)));
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Node, FormulaError> {
        let Placed { token, position } = self.next();
        match token {
            Token::Number(number) => self.node(position, Kind::Literal(number.into())),
            Token::Text(text) => self.node(position, Kind::Literal(Value::String(text))),
            Token::Symbol("(") => {
                let inner = self.deeper(Self::conditional)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Name(name) => self.name(name, position),
            Token::Symbol(_) | Token::End => Err(FormulaError::new(position, "expected a value")),
        }
    }

    fn name(&mut self, name: String, position: usize) -> Result<Node, FormulaError> {
        match name.as_str() {
            "true" => return self.node(position, Kind::Literal(Value::Boolean(true))),
            "false" => return self.node(position, Kind::Literal(Value::Boolean(false))),
            "null" => return self.node(position, Kind::Null),
            _ => {}
        }
        if self.eat("(") {
            let function = Function::named(&name)
                .ok_or_else(|| FormulaError::new(position, Function::unknown(&name)))?;
            let arguments = self.deeper(Self::arguments)?;
            return self.node(position, Kind::Call(function, arguments));
        }
        let mut full = name;
        if self.eat(".") {
            match self.next() {
                Placed { token: Token::Name(part), .. } => full = format!("{full}.{part}"),
                Placed { position, .. } => {
                    return Err(FormulaError::new(position, "expected a name after `.`"));
                }
            }
        }
        let index = match self.names.iter().position(|known| *known == full) {
            Some(index) => index,
            None => {
                self.names.push(full);
                self.positions.push(position);
                self.names.len() - 1
            }
        };
        self.node(position, Kind::Name(index))
    }

    fn arguments(&mut self) -> Result<Vec<Node>, FormulaError> {
        let mut arguments = Vec::new();
        if self.eat(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.conditional()?);
            if self.eat(")") {
                return Ok(arguments);
            }
            if !self.eat(",") {
                return Err(self.missing("`)` or `,`"));
            }
        }
    }
}
