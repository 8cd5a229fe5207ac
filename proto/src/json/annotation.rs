//! The options of our contracts, read from the descriptors: `google.api.http`, field behavior and
//! our JSON options.

use anyhow::Context as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumValueDescriptor, ExtensionDescriptor, FieldDescriptor,
    MessageDescriptor, MethodDescriptor, OneofDescriptor, Value,
};

/// `google.api.FieldBehavior.OUTPUT_ONLY`.
const OUTPUT_ONLY: i32 = 3;
/// The same for fields that must be given.
const REQUIRED: i32 = 2;

/// Reads options. Extensions are looked up once.
pub struct Annotations {
    http: ExtensionDescriptor,
    http_status: ExtensionDescriptor,
    grpc_only: ExtensionDescriptor,
    repeatable: ExtensionDescriptor,
    field_behavior: ExtensionDescriptor,
    token: ExtensionDescriptor,
    token_alias: ExtensionDescriptor,
    tagged: ExtensionDescriptor,
    bare: ExtensionDescriptor,
    flatten: ExtensionDescriptor,
    null_when_unset: ExtensionDescriptor,
    omit_when_empty: ExtensionDescriptor,
    scalar_when_one: ExtensionDescriptor,
    unread_of: ExtensionDescriptor,
    json_text: ExtensionDescriptor,
}

/// One REST door of a method.
#[derive(Debug, PartialEq, Eq)]
pub struct HttpRule {
    /// Method of HTTP.
    pub method: http::Method,
    /// Path template.
    pub path: String,
    /// Field that is the body; `*` for the whole request, empty for none.
    pub body: String,
    /// Field that is the answer's body; empty for the whole answer.
    pub response_body: String,
}

/// How a oneof reads as JSON.
#[derive(Debug, PartialEq, Eq)]
pub struct TaggedOneof {
    /// Key that names the member.
    pub tag: String,
    /// Key that holds the member's fields.
    pub content: String,
    /// The member's fields stand beside the tag.
    pub is_flat: bool,
}

/// How a field reads as JSON.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FieldOptions {
    /// Its keys or fields stand in the enclosing object.
    pub flatten: bool,
    /// Printed as null when unset.
    pub null_when_unset: bool,
    /// Left out when empty.
    pub omit_when_empty: bool,
    /// A list that also reads and prints as a single value.
    pub scalar_when_one: bool,
    /// Set by the service alone.
    pub output_only: bool,
    /// Must be given.
    pub required: bool,
    /// Its text is JSON and is printed as it is.
    pub json_text: bool,
}

impl Annotations {
    /// The options of the contracts in `pool`.
    pub fn of(pool: &DescriptorPool) -> anyhow::Result<Self> {
        let find = |name: &str| {
            pool.get_extension_by_name(name)
                .with_context(|| format!("the contracts do not declare option {name}"))
        };
        let ours = |name: &str| find(&format!("proffer.values.v1.{name}"));
        Ok(Self {
            http: find("google.api.http")?,
            field_behavior: find("google.api.field_behavior")?,
            http_status: ours("http_status")?,
            grpc_only: ours("grpc_only")?,
            repeatable: ours("repeatable")?,
            token: ours("token")?,
            token_alias: ours("token_alias")?,
            tagged: ours("tagged")?,
            bare: ours("bare")?,
            flatten: ours("flatten")?,
            null_when_unset: ours("null_when_unset")?,
            omit_when_empty: ours("omit_when_empty")?,
            scalar_when_one: ours("scalar_when_one")?,
            unread_of: ours("unread_of")?,
            json_text: ours("json_text")?,
        })
    }

    /// The REST doors of a method; none for an internal one.
    pub fn http_rules(&self, method: &MethodDescriptor) -> anyhow::Result<Vec<HttpRule>> {
        let options = method.options();
        if !options.has_extension(&self.http) {
            return Ok(Vec::new());
        }
        let value = options.get_extension(&self.http);
        let main = value.as_message().context("google.api.http is no message")?;
        let mut rules = vec![http_rule(main)?];
        let more = main.get_field_by_name("additional_bindings");
        for binding in more.as_deref().and_then(Value::as_list).unwrap_or_default() {
            rules.push(http_rule(binding.as_message().context("a binding is no message")?)?);
        }
        Ok(rules)
    }

    /// True for a public method that only gRPC has: a stream.
    pub fn is_grpc_only(&self, method: &MethodDescriptor) -> bool {
        is_set(&method.options(), &self.grpc_only)
    }

    /// True for a method that may be called again when its answer was lost, whatever is asked.
    pub fn is_repeatable(&self, method: &MethodDescriptor) -> anyhow::Result<bool> {
        let rules = self.http_rules(method)?;
        let is_read =
            !rules.is_empty() && rules.iter().all(|rule| rule.method == http::Method::GET);
        Ok(is_read || is_set(&method.options(), &self.repeatable))
    }

    /// HTTP status of a method's success.
    pub fn http_status(&self, method: &MethodDescriptor) -> anyhow::Result<http::StatusCode> {
        match method.options().get_extension(&self.http_status).as_i32() {
            None | Some(0) => Ok(http::StatusCode::OK),
            Some(code) => Ok(http::StatusCode::from_u16(u16::try_from(code)?)?),
        }
    }

    /// The word of an enum value, when it is not made from its name.
    pub fn token(&self, value: &EnumValueDescriptor) -> Option<String> {
        text(&value.options(), &self.token)
    }

    /// Further words for an enum value.
    pub fn token_aliases(&self, value: &EnumValueDescriptor) -> Vec<String> {
        let options = value.options();
        let words = options.get_extension(&self.token_alias);
        let words = words.as_list().unwrap_or_default();
        words.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// How a oneof reads, when it reads as a tagged object.
    pub fn tagged(&self, oneof: &OneofDescriptor) -> Option<TaggedOneof> {
        let options = oneof.options();
        if !options.has_extension(&self.tagged) {
            return None;
        }
        let value = options.get_extension(&self.tagged);
        let tagged = value.as_message()?;
        let text = |name: &str| Some(tagged.get_field_by_name(name)?.as_str()?.to_owned());
        let is_flat = tagged.get_field_by_name("flat")?.as_bool()?;
        Some(TaggedOneof { tag: text("tag")?, content: text("content")?, is_flat })
    }

    /// True for a message that reads as the value it holds.
    pub fn is_bare(&self, message: &MessageDescriptor) -> bool {
        is_set(&message.options(), &self.bare)
    }

    /// The list whose unreadable items a field takes; such a field is no part of JSON.
    pub fn unread_of(&self, field: &FieldDescriptor) -> Option<String> {
        text(&field.options(), &self.unread_of)
    }

    /// How a field reads.
    pub fn field(&self, field: &FieldDescriptor) -> FieldOptions {
        let options = field.options();
        let behavior = options.get_extension(&self.field_behavior);
        let behavior = behavior.as_list().unwrap_or_default();
        FieldOptions {
            flatten: is_set(&options, &self.flatten),
            null_when_unset: is_set(&options, &self.null_when_unset),
            omit_when_empty: is_set(&options, &self.omit_when_empty),
            scalar_when_one: is_set(&options, &self.scalar_when_one),
            output_only: behavior.contains(&Value::EnumNumber(OUTPUT_ONLY)),
            required: behavior.contains(&Value::EnumNumber(REQUIRED)),
            json_text: is_set(&options, &self.json_text),
        }
    }
}

fn is_set(options: &DynamicMessage, extension: &ExtensionDescriptor) -> bool {
    options.get_extension(extension).as_bool() == Some(true)
}

fn text(options: &DynamicMessage, extension: &ExtensionDescriptor) -> Option<String> {
    let value = options.get_extension(extension);
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn http_rule(rule: &DynamicMessage) -> anyhow::Result<HttpRule> {
    let text = |name: &str| {
        let value = rule.get_field_by_name(name);
        value.as_deref().and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let verbs = ["get", "put", "post", "delete", "patch"];
    let verb = verbs
        .into_iter()
        .find(|verb| rule.has_field_by_name(verb))
        .context("a google.api.http without a path")?;
    let method = verb.to_uppercase().parse()?;
    Ok(HttpRule {
        method,
        path: text(verb),
        body: text("body"),
        response_body: text("response_body"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(name: &str) -> MethodDescriptor {
        let (service, method) = name.rsplit_once('.').unwrap();
        let service = crate::POOL.get_service_by_name(service).unwrap();
        service.methods().find(|found| found.name() == method).unwrap()
    }

    #[test]
    fn options_are_read_from_the_contracts() {
        let annotations = Annotations::of(&crate::POOL).unwrap();
        let create = method("proffer.catalog.v1.OfferService.CreateOffer");
        let rule = HttpRule {
            method: http::Method::POST,
            path: "/api/v1/offers".into(),
            body: "offer".into(),
            response_body: "offer".into(),
        };
        assert_eq!(annotations.http_rules(&create).unwrap(), [rule]);
        assert_eq!(annotations.http_status(&create).unwrap(), http::StatusCode::CREATED);
        let lookup = method("proffer.internal.catalog.v1.LookupService.LookupCustomer");
        assert_eq!(annotations.http_rules(&lookup).unwrap(), []);
    }
}
