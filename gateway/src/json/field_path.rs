//! Translates field paths of services to JSON names: `offer.qualification_rules[0].value` is
//! `qualificationRules[0].value` for a REST caller.

use std::{borrow::Cow, sync::Arc};

use proffer_proto::json::path::camel;

use super::{
    fault::{BODY, push_index, push_key},
    shape::{Field, Form, Kind, Object, Plurality, Shape, ShapeId, Shapes, Step, Tagged},
};

/// What a path is read against: the request, and the field of it that is the body.
#[derive(Clone, Copy, Debug)]
pub struct Root<'a> {
    /// Plans.
    pub shapes: &'a Shapes,
    /// The request.
    pub request: ShapeId,
    /// The body field's name, when the body is one field of the request.
    pub body: Option<&'a str>,
}

/// A path in JSON's names.
#[derive(Debug, PartialEq, Eq)]
pub struct JsonPath {
    /// The path.
    pub text: String,
    /// True when every part was recognized.
    pub is_exact: bool,
}

impl Root<'_> {
    /// `path` in JSON's names; parts that are not recognized are put into camelCase.
    pub fn translate(&self, path: &str) -> JsonPath {
        let mut walk =
            Walk { shapes: self.shapes, at: self.at(), out: String::new(), is_exact: true };
        let mut parts = parts(path);
        if parts
            .first()
            .is_some_and(|part| matches!(part, Part::Name(name) if Some(*name) == self.body))
        {
            parts.remove(0);
            walk.enter_body(self.body);
        }
        let count = parts.len();
        for (index, part) in parts.into_iter().enumerate() {
            walk.step(part, index + 1 == count);
        }
        let text = if walk.out.is_empty() { BODY.to_owned() } else { walk.out };
        JsonPath { text, is_exact: walk.is_exact }
    }

    fn at(&self) -> At<'_> {
        self.shapes.at(self.request).map_or(At::Unknown, At::Message)
    }

    /// `text` with the paths in backticks translated. `beside` is the path of the field that it is
    /// about: fields of the same object are recognized by their bare names.
    pub fn translate_text<'t>(
        &self,
        text: &'t str,
        known: &[(String, String)],
        beside: Option<&str>,
    ) -> Cow<'t, str> {
        if !text.contains('`') {
            return Cow::Borrowed(text);
        }
        let pieces = text.split('`').enumerate().map(|(index, piece)| {
            let is_quoted = index % 2 == 1;
            if is_quoted { self.token(piece, known, beside) } else { Cow::Borrowed(piece) }
        });
        Cow::Owned(pieces.collect::<Vec<_>>().join("`"))
    }

    fn token<'t>(
        &self,
        token: &'t str,
        known: &[(String, String)],
        beside: Option<&str>,
    ) -> Cow<'t, str> {
        if let Some((_, json)) = known.iter().find(|(proto, _)| proto == token) {
            return Cow::Owned(json.clone());
        }
        // A bare word without an underscore reads the same in both, and is more often a value than
        // a field.
        if !token.contains(['.', '_']) {
            return Cow::Borrowed(token);
        }
        let whole = self.translate(token);
        if whole.is_exact {
            return Cow::Owned(whole.text);
        }
        match beside.and_then(|path| self.neighbour(path, token)) {
            Some(neighbour) => Cow::Owned(neighbour),
            None => Cow::Borrowed(token),
        }
    }

    /// The key of a field beside the one at `path`, in the same object.
    fn neighbour(&self, path: &str, name: &str) -> Option<String> {
        let parent = path.rfind('.').and_then(|end| path.get(..=end)).unwrap_or_default();
        let neighbour = self.translate(&format!("{parent}{name}"));
        let own = self.translate(path).text;
        let object = own.rfind('.').and_then(|end| own.get(..=end)).unwrap_or_default();
        let key = neighbour.text.strip_prefix(object)?;
        neighbour.is_exact.then(|| key.to_owned())
    }
}

#[derive(Clone, Copy)]
enum Part<'p> {
    Name(&'p str),
    Index(&'p str),
}

/// The parts of a path: `a.b[2].c` is a, b, 2, c.
fn parts(path: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']').unwrap_or((inner, ""));
            parts.push(Part::Index(index.trim_matches('"')));
            rest = after.strip_prefix('.').unwrap_or(after);
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            parts.push(Part::Name(name));
            rest = after.strip_prefix('.').unwrap_or(after);
        }
    }
    parts
}

/// Position of a walk along a path.
enum At<'s> {
    Message(&'s Shape),
    List(&'s Field),
    Map(&'s Field),
    /// At the content of a tagged oneof, the member unknown.
    Content(&'s Tagged),
    Leaf,
    Unknown,
}

struct Walk<'s> {
    shapes: &'s Shapes,
    at: At<'s>,
    out: String,
    is_exact: bool,
}

impl<'s> Walk<'s> {
    fn enter_body(&mut self, body: Option<&str>) {
        let At::Message(Shape { form: Form::Object(object), .. }) = self.at else { return };
        if let Some(Step::Field(field)) = body.and_then(|name| object.names.get(name)) {
            self.at = self.after(field);
        }
    }

    fn step(&mut self, part: Part<'_>, is_last: bool) {
        match (&self.at, part) {
            (At::Message(shape), part) => self.step_message(shape, part, is_last),
            (At::List(field), Part::Index(index)) => {
                push_index(&mut self.out, index);
                self.at = self.single(field);
            }
            (At::Map(field), Part::Name(key) | Part::Index(key)) => {
                push_key(&mut self.out, key);
                self.at = self.single(field);
            }
            (At::Content(tagged), Part::Name(name)) => match self.in_variants(tagged, name) {
                Some(field) => self.enter(field),
                None => self.guess(part),
            },
            (At::List(_) | At::Content(_) | At::Leaf | At::Unknown, part) => self.guess(part),
        }
    }

    fn step_message(&mut self, shape: &'s Shape, part: Part<'_>, is_last: bool) {
        match (&shape.form, part) {
            (Form::Object(object), Part::Name(name)) => self.step_object(object, name, is_last),
            (Form::List(field), Part::Name(name)) if name == field.name => {
                self.at = At::List(field)
            }
            (Form::List(field), Part::Index(index)) => {
                push_index(&mut self.out, index);
                self.at = self.single(field);
            }
            (Form::Scalar(_), Part::Name(name))
                if shape.descriptor.get_field_by_name(name).is_some() => {}
            (Form::Scalar(_), Part::Index(index)) => push_index(&mut self.out, index),
            (Form::Instant(_), Part::Name("seconds" | "nanos")) => self.at = At::Leaf,
            (_, part) => self.guess(part),
        }
    }

    fn step_object(&mut self, object: &'s Object, name: &str, is_last: bool) {
        match object.names.get(name) {
            Some(Step::Field(field)) => return self.enter(field),
            Some(Step::Inline(field)) => return self.at = self.after(field),
            Some(Step::Rest(field)) => return self.at = At::Map(field),
            Some(Step::Variant(tagged, variant)) => {
                if !tagged.is_flat && !is_last {
                    push_key(&mut self.out, &tagged.content);
                } else if is_last {
                    push_key(&mut self.out, &tagged.tag);
                }
                return self.at = self.after(variant);
            }
            None => {}
        }
        for tagged in &object.tagged {
            if name == tagged.tag || (name == tagged.name && is_last && name != tagged.content) {
                push_key(&mut self.out, &tagged.tag);
                return self.at = At::Leaf;
            }
            if name == tagged.content || name == tagged.name {
                if !tagged.is_flat {
                    push_key(&mut self.out, &tagged.content);
                }
                return self.at = At::Content(tagged);
            }
        }
        // A field of a message written in this object, without that message's name.
        for field in &object.inline {
            if let Some(Step::Field(inner)) =
                self.object(field).and_then(|inner| inner.names.get(name))
            {
                return self.enter(inner);
            }
        }
        if let Some(field) =
            object.flat.as_deref().and_then(|tagged| self.in_variants(tagged, name))
        {
            return self.enter(field);
        }
        if object.rest.is_some() {
            return push_key(&mut self.out, name);
        }
        self.guess(Part::Name(name));
    }

    fn in_variants(&self, tagged: &'s Tagged, name: &str) -> Option<&'s Arc<Field>> {
        tagged.variants.iter().find_map(|variant| match self.object(variant)?.names.get(name)? {
            Step::Field(field) => Some(field),
            _ => None,
        })
    }

    fn object(&self, field: &Field) -> Option<&'s Object> {
        self.shapes.object_of(&field.kind)
    }

    fn enter(&mut self, field: &'s Field) {
        push_key(&mut self.out, &field.key);
        self.at = self.after(field);
    }

    fn after(&self, field: &'s Field) -> At<'s> {
        match field.plurality {
            Plurality::One => self.single(field),
            Plurality::List => At::List(field),
            Plurality::Map => At::Map(field),
        }
    }

    fn single(&self, field: &Field) -> At<'s> {
        match field.kind {
            Kind::Message(id) => self.shapes.at(id).map_or(At::Unknown, At::Message),
            _ => At::Leaf,
        }
    }

    fn guess(&mut self, part: Part<'_>) {
        match part {
            Part::Name(name) => push_key(&mut self.out, &camel(name)),
            Part::Index(index) => push_index(&mut self.out, index),
        }
        self.is_exact = false;
        self.at = At::Unknown;
    }
}
