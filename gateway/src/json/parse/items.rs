//! Lists whose items are read each for itself: a faulty item does not spoil the others.

use prost_reflect::{DynamicMessage, MapKey, Value};
use tonic::Status;

use super::{Json, Nulls, Place, Reader};
use crate::json::shape::{Field, Object};

impl Reader<'_, '_> {
    /// Reads such a list. An unreadable item leaves an empty message in its place and its faults
    /// in the other field, with paths that begin within the item.
    pub fn items(
        &mut self,
        object: &Object,
        list: &Field,
        message: &mut DynamicMessage,
        json: &Json<'_>,
        place: &Place<'_>,
    ) {
        let Some(unread) = &object.unread else { return };
        let Some(shape) = self.shape(&list.kind) else { return };
        let items = match json {
            Json::List(items) => items,
            Json::Null => return,
            other => {
                return self.faults.add(place, format!("must be a list, not {}", other.noun()));
            }
        };
        let (mut values, mut faulty) = (Vec::with_capacity(items.len()), Vec::new());
        for (index, item) in (0..).zip(items) {
            // A key that is given twice was found before.
            let mut faults = self.faults.take_within(&place.index(index as usize));
            let mut reader = Reader { shapes: self.shapes, faults: &mut faults };
            let read = reader.message(shape, item, &Place::Root, Nulls::LeftOut);
            let empty = || DynamicMessage::new(shape.descriptor.clone());
            if faults.is_empty() {
                values.push(Value::Message(read.unwrap_or_else(empty)));
            } else {
                values.push(Value::Message(empty()));
                faulty.push((index, faults));
            }
        }
        self.set(message, &list.descriptor, Value::List(values), place);
        for (index, faults) in faulty {
            let status = Status::from(serve::Problem::invalid_fields(faults.into_list()));
            let fault = serve::item_fault(&status);
            if let Value::Map(map) = message.get_field_mut(&unread.field)
                && let prost_reflect::Kind::Message(entry) = unread.field.kind()
                && let prost_reflect::Kind::Message(kind) = entry.map_entry_value_field().kind()
            {
                let mut value = DynamicMessage::new(kind);
                // INVARIANT: the plan was made from a field of this type.
                if value.transcode_from(&fault).is_ok() {
                    map.insert(MapKey::I32(index), Value::Message(value));
                }
            }
        }
    }
}
