//! The field mask of a PATCH, made from the keys of its body.

use super::{
    fault::{Faults, Place},
    shape::{Field, Form, Kind, Object, Plurality, Shape, Shapes, Tagged, Target},
    tree::{Entry, Json},
};

/// The proto paths that a body names. Keys of nested messages make nested paths; lists and maps are
/// replaced whole; output-only fields are left out.
pub fn of_body(shapes: &Shapes, shape: &Shape, body: &Json<'_>) -> Vec<String> {
    let mut paths = Vec::new();
    if let (Form::Object(object), Json::Object(entries)) = (&shape.form, body) {
        collect(shapes, object, &mut entries.iter(), "", &mut paths);
    }
    paths
}

/// A mask given in JSON's names, such as `name,config.quietHoursEnd`, in proto paths.
pub fn of_text(
    shapes: &Shapes,
    shape: &Shape,
    text: &str,
    place: &Place<'_>,
    faults: &mut Faults,
) -> Vec<String> {
    let listed = text.split(',').map(str::trim).filter(|path| !path.is_empty());
    let mut paths = Vec::new();
    for path in listed {
        match proto_path(shapes, shape, path) {
            Some(path) => paths.push(path),
            None => faults
                .add(place, format!("contains the unknown field `{}`", super::fault::quoted(path))),
        }
    }
    paths
}

fn collect<'a>(
    shapes: &Shapes,
    object: &Object,
    entries: &mut dyn Iterator<Item = &'a Entry<'a>>,
    prefix: &str,
    paths: &mut Vec<String>,
) {
    let entries: Vec<_> = entries.collect();
    for (key, value) in &entries {
        match object.keys.get(key.as_ref()) {
            Some(Target::Field(field)) if field.options.output_only => {}
            Some(Target::Field(field)) => below(shapes, field, value, prefix, paths),
            Some(Target::Inline(field)) => {
                let path = format!("{prefix}{}", field.name);
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
            Some(Target::Tag(tagged)) => of_variant(shapes, tagged, value, &entries, prefix, paths),
            Some(Target::Content(_)) | None => {}
        }
    }
}

/// A nested message is changed field by field, anything else as a whole.
fn below(shapes: &Shapes, field: &Field, value: &Json<'_>, prefix: &str, paths: &mut Vec<String>) {
    let path = format!("{prefix}{}", field.name);
    match (nested(shapes, field), value) {
        (Some(object), Json::Object(entries)) => {
            collect(shapes, object, &mut entries.iter(), &format!("{path}."), paths);
        }
        _ => paths.push(path),
    }
}

/// The fields of a tagged member; the member as a whole when only its tag is given.
fn of_variant(
    shapes: &Shapes,
    tagged: &Tagged,
    tag: &Json<'_>,
    entries: &[&Entry<'_>],
    prefix: &str,
    paths: &mut Vec<String>,
) {
    let Json::Text(word) = tag else { return };
    let Some(variant) = tagged.variant(word) else { return };
    let Some(object) = nested(shapes, variant) else { return };
    let path = format!("{prefix}{}", variant.name);
    let before = paths.len();
    let nested_prefix = format!("{path}.");
    for (key, value) in entries {
        if *key == tagged.content
            && let Json::Object(inner) = value
        {
            collect(shapes, object, &mut inner.iter(), &nested_prefix, paths);
        }
    }
    if tagged.is_flat {
        let beside =
            entries.iter().copied().filter(|(key, _)| object.keys.contains_key(key.as_ref()));
        collect(shapes, object, &mut beside.into_iter(), &nested_prefix, paths);
    }
    if paths.len() == before {
        paths.push(path);
    }
}

fn nested<'s>(shapes: &'s Shapes, field: &Field) -> Option<&'s Object> {
    shapes.object_of(&field.kind).filter(|_| field.plurality == Plurality::One)
}

fn proto_path(shapes: &Shapes, shape: &Shape, path: &str) -> Option<String> {
    let Form::Object(object) = &shape.form else { return None };
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    let Some(Target::Field(field)) = object.keys.get(key) else { return None };
    let Some(rest) = rest else { return Some(field.name.clone()) };
    let Kind::Message(id) = field.kind else { return None };
    let inner = shapes.at(id).filter(|_| field.plurality == Plurality::One)?;
    Some(format!("{}.{}", field.name, proto_path(shapes, inner, rest)?))
}
