//! Applies a field mask: takes the named fields of one message into another.

use prost::{Message, Name};
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

/// Why a mask does not fit a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPath(pub String);

/// `stored` with the fields named by `paths` taken from `patch`; every field when there is no path.
/// A path may reach into a message (`config.quiet_hours_start`); an unset message on the way is
/// created.
pub fn apply<M: Message + Name + Default + Clone>(
    stored: &M,
    patch: &M,
    paths: &[String],
) -> Result<M, UnknownPath> {
    let unknown = || UnknownPath(M::full_name());
    let descriptor = crate::POOL.get_message_by_name(&M::full_name()).ok_or_else(unknown)?;
    let read = |message: &M| {
        DynamicMessage::decode(descriptor.clone(), message.encode_to_vec().as_slice())
    };
    if paths.is_empty() {
        return Ok(patch.clone());
    }
    let mut target = read(stored).map_err(|_| unknown())?;
    let source = read(patch).map_err(|_| unknown())?;
    for path in paths {
        copy(&mut target, &source, path).ok_or_else(|| UnknownPath(path.clone()))?;
    }
    M::decode(target.encode_to_vec().as_slice()).map_err(|_| unknown())
}

fn copy(target: &mut DynamicMessage, source: &DynamicMessage, path: &str) -> Option<()> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let field = target.descriptor().get_field_by_name(head)?;
    match rest {
        None if source.has_field(&field) => {
            target.set_field(&field, source.get_field(&field).into_owned())
        }
        None => target.clear_field(&field),
        Some(rest) => {
            let inner = source.get_field(&field);
            let inner = inner.as_message()?;
            if !target.has_field(&field) {
                target.set_field(&field, Value::Message(DynamicMessage::new(inner.descriptor())));
            }
            copy(target.get_field_mut(&field).as_message_mut()?, inner, rest)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::v1::{Channel, ChannelConfig};

    fn channel(name: &str, start: &str, end: &str) -> Channel {
        let config = ChannelConfig {
            quiet_hours_start: start.into(),
            quiet_hours_end: end.into(),
            ..Default::default()
        };
        Channel { name: name.into(), config: Some(config), ..Default::default() }
    }

    #[test]
    fn only_the_named_fields_change() {
        let paths = ["config.quiet_hours_end".to_owned()];
        let got =
            apply(&channel("email", "21:00", "08:00"), &channel("sms", "22:00", "09:00"), &paths);
        assert_eq!(got, Ok(channel("email", "21:00", "09:00")));
    }

    #[test]
    fn an_unknown_path_is_named() {
        let paths = ["colour".to_owned()];
        assert_eq!(
            apply(&channel("a", "", ""), &channel("b", "", ""), &paths),
            Err(UnknownPath("colour".into()))
        );
    }
}
