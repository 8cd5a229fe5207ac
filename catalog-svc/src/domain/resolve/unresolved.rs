//! Why a name or a computed field has no type.

use super::CHAIN_MAX;
use crate::domain::name::quoted;

/// Why a name or a computed field has no type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// What is wrong, each fault by itself.
    pub messages: Vec<String>,
    /// The fault at the bottom of it, which may be another field's.
    pub root: String,
    /// True when the fault is not another computed field's.
    pub is_own: bool,
    /// True when the chain of computed fields is too long.
    pub is_too_long: bool,
}

impl Unresolved {
    /// A fault of the name or field itself.
    pub(super) fn own(message: String) -> Self {
        Self { root: message.clone(), messages: vec![message], is_own: true, is_too_long: false }
    }

    /// A chain of computed fields that is too long.
    pub(super) fn too_long() -> Self {
        let message = format!(
            "computed fields read each other in a chain longer than the maximum {CHAIN_MAX}"
        );
        Self { is_too_long: true, ..Self::own(message) }
    }

    /// The first message.
    pub fn message(&self) -> &str {
        self.messages.first().map_or("", String::as_str)
    }

    /// The fault as the author of `name` reads it.
    pub fn about(&self, name: &str) -> String {
        if self.is_own {
            self.root.clone()
        } else {
            format!("`{}` cannot be computed: {}", quoted(name), self.root)
        }
    }
}
