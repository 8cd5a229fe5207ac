//! Builds the plans of messages from their descriptors.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use prost_reflect::{
    EnumDescriptor, FieldDescriptor, Kind as ProtoKind, MessageDescriptor, OneofDescriptor,
};

use super::{
    Field, Form, Instant, Kind, Member, Object, Plurality, Scalar, Shape, ShapeId, Shapes, Step,
    Tagged, Target, Unread, Words,
};
use crate::json::annotation::{Annotations, TaggedOneof};

impl Shapes {
    /// Plans a message and all that it holds.
    pub fn add(
        &mut self,
        annotations: &Annotations,
        message: &MessageDescriptor,
    ) -> anyhow::Result<ShapeId> {
        let mut pending = Vec::new();
        let id = self.reserve(message, &mut pending);
        while let Some((id, message)) = pending.pop() {
            let form = self
                .form(annotations, &message, &mut pending)
                .with_context(|| format!("message {} has no JSON form", message.full_name()))?;
            if let Some(place) = self.list.get_mut(id.0) {
                place.form = form;
            }
        }
        self.inline_keys()?;
        Ok(id)
    }

    fn reserve(
        &mut self,
        message: &MessageDescriptor,
        pending: &mut Vec<(ShapeId, MessageDescriptor)>,
    ) -> ShapeId {
        match self.ids.entry(message.full_name().to_owned()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                let id = *place.insert(ShapeId(self.list.len()));
                self.list.push(Shape {
                    descriptor: message.clone(),
                    form: Form::Object(Object::default()),
                });
                pending.push((id, message.clone()));
                id
            }
        }
    }

    fn form(
        &mut self,
        annotations: &Annotations,
        message: &MessageDescriptor,
        pending: &mut Vec<(ShapeId, MessageDescriptor)>,
    ) -> anyhow::Result<Form> {
        let named = |name: &str| {
            message.get_field_by_name(name).with_context(|| format!("it has no field {name}"))
        };
        match message.full_name() {
            "google.protobuf.Timestamp" => {
                return Ok(Form::Instant(Instant {
                    seconds: named("seconds")?,
                    nanos: named("nanos")?,
                }));
            }
            "google.protobuf.FieldMask" => return Ok(Form::Mask(named("paths")?)),
            other => ensure!(
                !other.starts_with("google.protobuf."),
                "it is a well-known type not yet planned for"
            ),
        }
        if annotations.is_bare(message) {
            return self.bare(annotations, message, pending);
        }
        let mut object = Object::default();
        let mut tagged: Vec<(String, Arc<Tagged>)> = Vec::new();
        for descriptor in message.fields() {
            let oneof = descriptor.containing_oneof().filter(|oneof| !oneof.is_synthetic());
            let options = oneof.as_ref().and_then(|oneof| annotations.tagged(oneof));
            if let (Some(oneof), Some(options)) = (oneof, options) {
                if tagged.iter().any(|(name, _)| name == oneof.name()) {
                    continue;
                }
                let planned = Arc::new(self.tagged(annotations, &oneof, options, pending)?);
                object.add_tagged(&planned)?;
                tagged.push((oneof.name().to_owned(), planned));
                continue;
            }
            if let Some(items) = annotations.unread_of(&descriptor) {
                object.unread = Some(Unread { field: descriptor, items });
                continue;
            }
            let field = Arc::new(self.field(annotations, &descriptor, pending)?);
            object.add_field(field)?;
        }
        ensure!(
            object.rest.is_none() || object.flat.is_none(),
            "a flattened map and a flat oneof cannot both take unknown keys"
        );
        Ok(Form::Object(object))
    }

    fn tagged(
        &mut self,
        annotations: &Annotations,
        oneof: &OneofDescriptor,
        options: TaggedOneof,
        pending: &mut Vec<(ShapeId, MessageDescriptor)>,
    ) -> anyhow::Result<Tagged> {
        let mut variants = Vec::new();
        for descriptor in oneof.fields() {
            let variant = self.field(annotations, &descriptor, pending)?;
            ensure!(
                matches!(variant.kind, Kind::Message(_)),
                "{} of a tagged oneof is no message",
                variant.name
            );
            variants.push(Arc::new(variant));
        }
        let TaggedOneof { tag, content, is_flat } = options;
        Ok(Tagged { name: oneof.name().to_owned(), tag, content, is_flat, variants })
    }

    fn bare(
        &mut self,
        annotations: &Annotations,
        message: &MessageDescriptor,
        pending: &mut Vec<(ShapeId, MessageDescriptor)>,
    ) -> anyhow::Result<Form> {
        let only = message.fields().next().filter(|_| message.fields().len() == 1);
        if let Some(field) = only.filter(FieldDescriptor::is_list) {
            return Ok(Form::List(Arc::new(self.field(annotations, &field, pending)?)));
        }
        let is_decimal = |field: &FieldDescriptor| field.name() == "decimal_value";
        let find = |what: &str, fits: &dyn Fn(&FieldDescriptor) -> bool| {
            message
                .fields()
                .find(|field| fits(field))
                .with_context(|| format!("it is bare and has no {what} member"))
        };
        let list = find("list", &|field| matches!(field.kind(), ProtoKind::Message(_)))?;
        let ProtoKind::Message(list_message) = list.kind() else { bail!("its list is no message") };
        Ok(Form::Scalar(Scalar {
            text: find("text", &|field| field.kind() == ProtoKind::String && !is_decimal(field))?,
            integer: find("int64", &|field| field.kind() == ProtoKind::Int64)?,
            double: find("double", &|field| field.kind() == ProtoKind::Double)?,
            boolean: find("bool", &|field| field.kind() == ProtoKind::Bool)?,
            decimal: find("decimal_value", &is_decimal)?,
            list_shape: self.reserve(&list_message, pending),
            list,
        }))
    }

    fn field(
        &mut self,
        annotations: &Annotations,
        descriptor: &FieldDescriptor,
        pending: &mut Vec<(ShapeId, MessageDescriptor)>,
    ) -> anyhow::Result<Field> {
        let (plurality, kind) = match descriptor.kind() {
            ProtoKind::Message(entry) if descriptor.is_map() => {
                let has_text_keys = entry.map_entry_key_field().kind() == ProtoKind::String;
                ensure!(has_text_keys, "map {} has keys other than strings", descriptor.name());
                (Plurality::Map, entry.map_entry_value_field().kind())
            }
            kind if descriptor.is_list() => (Plurality::List, kind),
            kind => (Plurality::One, kind),
        };
        let kind = match kind {
            ProtoKind::Bool => Kind::Bool,
            ProtoKind::Int32 | ProtoKind::Sint32 | ProtoKind::Sfixed32 => Kind::I32,
            ProtoKind::Int64 | ProtoKind::Sint64 | ProtoKind::Sfixed64 => Kind::I64,
            ProtoKind::Uint32 | ProtoKind::Fixed32 => Kind::U32,
            ProtoKind::Uint64 | ProtoKind::Fixed64 => Kind::U64,
            ProtoKind::Double => Kind::F64,
            ProtoKind::String => Kind::Text,
            ProtoKind::Enum(words) => Kind::Enum(Arc::new(plan_words(annotations, &words)?)),
            ProtoKind::Message(message) => Kind::Message(self.reserve(&message, pending)),
            ProtoKind::Float | ProtoKind::Bytes => {
                bail!("field {} is float or bytes", descriptor.name())
            }
        };
        let oneof = descriptor.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        Ok(Field {
            name: descriptor.name().to_owned(),
            key: descriptor.json_name().to_owned(),
            kind,
            plurality,
            has_presence: descriptor.supports_presence(),
            options: annotations.field(descriptor),
            oneof: oneof.map(|oneof| oneof.name().into()),
            descriptor: descriptor.clone(),
        })
    }

    /// Gives every object the keys of the messages written in it. They are known only when all are
    /// planned.
    fn inline_keys(&mut self) -> anyhow::Result<()> {
        for index in 0..self.list.len() {
            let Some(Shape { form: Form::Object(object), .. }) = self.list.get(index) else {
                continue;
            };
            let mut found = Vec::new();
            for field in &object.inline {
                let inner = if let Kind::Message(id) = field.kind { self.at(id) } else { None };
                let Some(Shape { form: Form::Object(inner), .. }) = inner else {
                    bail!("flattened field {} is no object", field.name);
                };
                found.extend(
                    inner.known.iter().map(|key| (key.clone(), Target::Inline(Arc::clone(field)))),
                );
            }
            let Some(Shape { form: Form::Object(object), .. }) = self.list.get_mut(index) else {
                continue;
            };
            for (position, (key, target)) in found.into_iter().enumerate() {
                match object.keys.entry(key.clone()) {
                    Entry::Vacant(place) => {
                        place.insert(target);
                        object.known.insert(position, key);
                    }
                    Entry::Occupied(known) => {
                        ensure!(
                            matches!(known.get(), Target::Inline(_)),
                            "key {key} of a flattened field is taken"
                        );
                    }
                }
            }
        }
        Ok(())
    }
}

impl Object {
    fn add_field(&mut self, field: Arc<Field>) -> anyhow::Result<()> {
        let (name, key) = (field.name.clone(), field.key.clone());
        let (member, step) = match (field.options.flatten, field.plurality) {
            (false, _) => {
                self.claim(&field.key, Target::Field(Arc::clone(&field)))?;
                (Member::Plain(Arc::clone(&field)), Step::Field(field))
            }
            (true, Plurality::Map) => {
                ensure!(self.rest.is_none(), "two flattened maps");
                self.rest = Some(Arc::clone(&field));
                (Member::Rest(Arc::clone(&field)), Step::Rest(field))
            }
            (true, Plurality::One) => {
                self.inline.push(Arc::clone(&field));
                (Member::Inline(Arc::clone(&field)), Step::Inline(field))
            }
            (true, Plurality::List) => bail!("list {name} cannot be flattened"),
        };
        self.members.push(member);
        // Services write a path with the word that JSON has for a field, where it differs.
        self.names.entry(key).or_insert_with(|| step.clone());
        self.names.insert(name, step);
        Ok(())
    }

    fn add_tagged(&mut self, tagged: &Arc<Tagged>) -> anyhow::Result<()> {
        self.claim(&tagged.tag, Target::Tag(Arc::clone(tagged)))?;
        self.claim(&tagged.content, Target::Content(Arc::clone(tagged)))?;
        if tagged.is_flat {
            ensure!(self.flat.is_none(), "two flat oneofs");
            self.flat = Some(Arc::clone(tagged));
        }
        for variant in &tagged.variants {
            self.names.insert(
                variant.name.clone(),
                Step::Variant(Arc::clone(tagged), Arc::clone(variant)),
            );
        }
        self.tagged.push(Arc::clone(tagged));
        self.members.push(Member::Tagged(Arc::clone(tagged)));
        Ok(())
    }

    fn claim(&mut self, key: &str, target: Target) -> anyhow::Result<()> {
        ensure!(self.keys.insert(key.to_owned(), target).is_none(), "key {key} is used twice");
        self.known.push(key.to_owned());
        Ok(())
    }
}

/// The words of an enum: an option, or the value's name without the enum's prefix, in lower case.
fn plan_words(annotations: &Annotations, descriptor: &EnumDescriptor) -> anyhow::Result<Words> {
    let zero = descriptor.default_value();
    let prefix = zero.name().strip_suffix("UNSPECIFIED");
    let unsaid = prefix.map(|_| zero.number());
    let (mut by_word, mut by_number, mut listed) = (HashMap::new(), HashMap::new(), Vec::new());
    let mut seen = HashSet::new();
    for value in descriptor.values().filter(|value| Some(value.number()) != unsaid) {
        let bare = value.name().strip_prefix(prefix.unwrap_or_default()).unwrap_or(value.name());
        let word = annotations.token(&value).unwrap_or_else(|| bare.to_lowercase());
        for word in annotations.token_aliases(&value).into_iter().chain([word.clone()]) {
            ensure!(
                seen.insert(word.clone()),
                "enum {} has the word {word} twice",
                descriptor.full_name()
            );
            by_word.insert(word, value.number());
        }
        listed.push(format!("`{word}`"));
        by_number.insert(value.number(), word);
    }
    Ok(Words { by_word, by_number, listed: listed.join(", "), unsaid })
}
