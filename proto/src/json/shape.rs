//! The plan of every message: its form as JSON. Plans are built once, at the start.

mod plan;

use std::{collections::HashMap, sync::Arc};

use prost_reflect::{FieldDescriptor, MessageDescriptor};

use super::annotation::FieldOptions;

/// The plans of all messages reached so far.
#[derive(Debug, Default)]
pub struct Shapes {
    list: Vec<Shape>,
    ids: HashMap<String, ShapeId>,
}

/// Names a plan of [`Shapes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeId(usize);

/// How one message reads.
#[derive(Debug)]
pub struct Shape {
    /// The message.
    pub descriptor: MessageDescriptor,
    /// Its JSON.
    pub form: Form,
}

/// Kinds of JSON a message may be.
#[derive(Debug)]
pub enum Form {
    /// An object with a key per field.
    Object(Object),
    /// The value that its oneof holds; null when none.
    Scalar(Scalar),
    /// The list that its only field holds.
    List(Arc<Field>),
    /// `google.protobuf.Timestamp`: an RFC 3339 string.
    Instant(Instant),
    /// `google.protobuf.FieldMask`: paths joined by commas.
    Mask(FieldDescriptor),
}

/// A message as an object.
#[derive(Debug, Default)]
pub struct Object {
    /// What is printed, in this order.
    pub members: Vec<Member>,
    /// What a key of the input means.
    pub keys: HashMap<String, Target>,
    /// The keys, as faults list them.
    pub known: Vec<String>,
    /// What a name in a proto path means.
    pub names: HashMap<String, Step>,
    /// The map that takes all other keys.
    pub rest: Option<Arc<Field>>,
    /// The oneofs that read as a tag and a content.
    pub tagged: Vec<Arc<Tagged>>,
    /// The one of them whose member's fields are written beside the tag.
    pub flat: Option<Arc<Tagged>>,
    /// Fields whose message is written in this object.
    pub inline: Vec<Arc<Field>>,
    /// Takes the faults of items that cannot be read.
    pub unread: Option<Unread>,
}

impl Object {
    /// True for a list whose unreadable items another field takes.
    pub fn takes_unread(&self, list: &Field) -> bool {
        let is_list = list.plurality == Plurality::List && matches!(list.kind, Kind::Message(_));
        is_list && self.unread.as_ref().is_some_and(|unread| unread.items == list.name)
    }
}

/// The field that takes a fault for each unreadable item of a list.
#[derive(Debug)]
pub struct Unread {
    /// The field, a map by index.
    pub field: FieldDescriptor,
    /// Name of the list.
    pub items: String,
}

/// A part of a printed object.
#[derive(Debug)]
pub enum Member {
    /// A key and its value.
    Plain(Arc<Field>),
    /// The keys of a message.
    Inline(Arc<Field>),
    /// The keys of a map.
    Rest(Arc<Field>),
    /// A tag and the member it names.
    Tagged(Arc<Tagged>),
}

/// What a key of the input means.
#[derive(Clone, Debug)]
pub enum Target {
    /// A field.
    Field(Arc<Field>),
    /// A key of a message that is written in this object.
    Inline(Arc<Field>),
    /// The name of a tagged member.
    Tag(Arc<Tagged>),
    /// The fields of a tagged member.
    Content(Arc<Tagged>),
}

/// What a name in a proto path means.
#[derive(Clone, Debug)]
pub enum Step {
    /// A field with a key.
    Field(Arc<Field>),
    /// A field whose message is written in this object.
    Inline(Arc<Field>),
    /// The map that takes all other keys.
    Rest(Arc<Field>),
    /// A member of a tagged oneof.
    Variant(Arc<Tagged>, Arc<Field>),
}

/// A oneof as a tag and a content.
#[derive(Debug)]
pub struct Tagged {
    /// Name of the oneof.
    pub name: String,
    /// Key that names the member.
    pub tag: String,
    /// Key that holds the member's fields.
    pub content: String,
    /// The member's fields are written beside the tag.
    pub is_flat: bool,
    /// The members; the word is the field's name.
    pub variants: Vec<Arc<Field>>,
}

impl Tagged {
    /// The member of this name.
    pub fn variant(&self, word: &str) -> Option<&Arc<Field>> {
        self.variants.iter().find(|variant| variant.name == word)
    }
}

/// A field.
#[derive(Debug)]
pub struct Field {
    /// The field itself.
    pub descriptor: FieldDescriptor,
    /// Its name in the contracts.
    pub name: String,
    /// Its key in JSON.
    pub key: String,
    /// Type of a single value.
    pub kind: Kind,
    /// How many values.
    pub plurality: Plurality,
    /// True when unset differs from zero.
    pub has_presence: bool,
    /// Its options.
    pub options: FieldOptions,
    /// The oneof it is an untagged member of.
    pub oneof: Option<Arc<str>>,
}

/// How many values a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plurality {
    /// One.
    One,
    /// Several, in order.
    List,
    /// Several, by name.
    Map,
}

/// Type of a single value.
#[derive(Clone, Debug)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A whole number of 32 bits.
    I32,
    /// A whole number of 64 bits.
    I64,
    /// A whole number of 32 bits, not negative.
    U32,
    /// A whole number of 64 bits, not negative.
    U64,
    /// A double.
    F64,
    /// Text.
    Text,
    /// One of several words.
    Enum(Arc<Words>),
    /// A message.
    Message(ShapeId),
}

/// The words of an enum.
#[derive(Debug)]
pub struct Words {
    by_word: HashMap<String, i32>,
    by_number: HashMap<i32, String>,
    /// The words, as faults list them.
    pub listed: String,
    /// The value for unspecified, when there is one; it has no word.
    pub unsaid: Option<i32>,
}

impl Words {
    /// The number of a word.
    pub fn number(&self, word: &str) -> Option<i32> {
        self.by_word.get(word).copied()
    }

    /// The words, one for each value, in the order of letters.
    pub fn sorted(&self) -> Vec<&str> {
        let mut words: Vec<_> = self.by_number.values().map(String::as_str).collect();
        words.sort_unstable();
        words
    }

    /// The word of a number.
    pub fn word(&self, number: i32) -> Option<&str> {
        self.by_number.get(&number).map(String::as_str)
    }
}

/// A message that reads as the value its oneof holds.
#[derive(Debug)]
pub struct Scalar {
    /// Text.
    pub text: FieldDescriptor,
    /// A whole number.
    pub integer: FieldDescriptor,
    /// A double.
    pub double: FieldDescriptor,
    /// True or false.
    pub boolean: FieldDescriptor,
    /// An exact decimal number as text.
    pub decimal: FieldDescriptor,
    /// Several values.
    pub list: FieldDescriptor,
    /// The message of `list`.
    pub list_shape: ShapeId,
}

/// The fields of an instant.
#[derive(Debug)]
pub struct Instant {
    /// Seconds since 1970.
    pub seconds: FieldDescriptor,
    /// Nanoseconds within the second.
    pub nanos: FieldDescriptor,
}

impl Shapes {
    /// The plan of this name.
    pub fn at(&self, id: ShapeId) -> Option<&Shape> {
        self.list.get(id.0)
    }

    /// The object that a value of this kind reads as; none for another form.
    pub fn object_of(&self, kind: &Kind) -> Option<&Object> {
        let Kind::Message(id) = kind else { return None };
        if let Form::Object(object) = &self.at(*id)?.form { Some(object) } else { None }
    }

    /// The plan of the message of this full name.
    pub fn named(&self, name: &str) -> Option<&Shape> {
        self.at(*self.ids.get(name)?)
    }
}
