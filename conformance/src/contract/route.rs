//! Which RPC a REST call is.

use anyhow::{Context as _, bail};
use percent_encoding::percent_decode_str;
use proffer_proto::POOL;
use prost_reflect::{DynamicMessage, Kind, MethodDescriptor, ReflectMessage as _, Value as Field};
use serde_json::Value;

use super::{from_json, into_json, option};
use crate::Call;

/// One RPC that REST can call.
#[derive(Clone, Debug)]
pub struct Route {
    /// The RPC.
    pub rpc: MethodDescriptor,
    /// `GET`, …
    pub verb: String,
    /// `/api/v1/offers/{id}`.
    pub template: String,
    /// Field of the request that the body is, `*` for all of it, or nothing.
    pub body: String,
    /// Field of the answer that is shown; nothing for all of it.
    pub response_body: String,
    /// Status of success.
    pub status: u16,
}

/// All RPCs that REST can call.
#[derive(Clone, Debug)]
pub struct Routes(pub Vec<Route>);

impl Default for Routes {
    fn default() -> Self {
        let services =
            POOL.services().filter(|service| service.full_name().starts_with("proffer."));
        let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
        Self(methods.flat_map(Route::all).collect())
    }
}

impl Route {
    /// The routes of an RPC: that of its rule, and its additional bindings.
    fn all(rpc: MethodDescriptor) -> Vec<Self> {
        let options = rpc.options();
        let extension = POOL.get_extension_by_name("google.api.http");
        let extension = extension.filter(|extension| options.has_extension(extension));
        let Some(rule) = extension.map(|it| options.get_extension(&it).into_owned()) else {
            return Vec::new();
        };
        let Some(rule) = rule.as_message() else { return Vec::new() };
        let others = rule.get_field_by_name("additional_bindings").map(|it| it.into_owned());
        let others = others.as_ref().and_then(|it| it.as_list()).unwrap_or_default();
        let others = others.iter().filter_map(|it| it.as_message());
        std::iter::once(rule).chain(others).filter_map(|rule| Self::of(&rpc, rule)).collect()
    }

    fn of(rpc: &MethodDescriptor, rule: &DynamicMessage) -> Option<Self> {
        let options = rpc.options();
        let text = |name: &str| {
            let field = rule.descriptor().get_field_by_name(name)?;
            let text =
                rule.has_field(&field).then(|| rule.get_field(&field).as_str().map(str::to_owned));
            text.flatten()
        };
        let (verb, template) = ["get", "put", "post", "patch", "delete"]
            .into_iter()
            .find_map(|verb| text(verb).map(|template| (verb.to_uppercase(), template)))?;
        let status =
            option::own(&options, "http_status").and_then(|value| value.as_i32()).unwrap_or(200);
        Some(Self {
            verb,
            template,
            body: text("body").unwrap_or_default(),
            response_body: text("response_body").unwrap_or_default(),
            status: u16::try_from(status).unwrap_or(200),
            rpc: rpc.clone(),
        })
    }

    /// What the pieces of `path` in braces are, when the route is its.
    fn captures(&self, path: &str) -> Option<Vec<(String, String)>> {
        let (wanted, given): (Vec<_>, Vec<_>) =
            (self.template.split('/').collect(), path.split('/').collect());
        if wanted.len() != given.len() {
            return None;
        }
        let mut captured = Vec::new();
        for (wanted, given) in wanted.into_iter().zip(given) {
            match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => {
                    captured.push((
                        name.to_owned(),
                        percent_decode_str(given).decode_utf8_lossy().into_owned(),
                    ));
                }
                None if wanted == given => {}
                None => return None,
            }
        }
        Some(captured)
    }

    /// The request of a call to this route.
    fn request(
        &self,
        call: &Call,
        captured: &[(String, String)],
    ) -> anyhow::Result<DynamicMessage> {
        let descriptor = self.rpc.input();
        let body = call.body.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let mut request = match self.body.as_str() {
            "*" => from_json::message(&descriptor, &body)?,
            "" => DynamicMessage::new(descriptor.clone()),
            name => {
                let field = descriptor
                    .get_field_by_name(name)
                    .context("the body is a field of the request")?;
                let Kind::Message(inner) = field.kind() else { bail!("the body is a message") };
                let mut request = DynamicMessage::new(descriptor.clone());
                request.set_field(&field, Field::Message(from_json::message(&inner, &body)?));
                if call.method == "PATCH" && descriptor.get_field_by_name("update_mask").is_some() {
                    let mask = mask(&inner, &body, "");
                    let json = Value::Array(mask.into_iter().map(Value::String).collect());
                    set_mask(&mut request, &json);
                }
                request
            }
        };
        for (path, text) in captured {
            set(&mut request, path, text).with_context(|| format!("at {{{path}}}"))?;
        }
        let query = call.path.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, text) = pair.split_once('=').unwrap_or((pair, ""));
            let text = percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
            let field = descriptor.fields().find(|field| field.json_name() == key);
            set(
                &mut request,
                field.with_context(|| format!("no parameter `{key}`"))?.name(),
                &text,
            )?;
        }
        Ok(request)
    }

    /// The status that REST answers with: a check creates nothing, and a call without a body has
    /// one when there are warnings.
    pub fn status_of(&self, request: &DynamicMessage, answer: &DynamicMessage) -> u16 {
        let flag = request.get_field_by_name("validate_only");
        let is_check = flag.is_some_and(|flag| flag.as_bool() == Some(true));
        if is_check { 200 } else { self.status(answer) }
    }

    fn status(&self, answer: &DynamicMessage) -> u16 {
        let warnings = answer.get_field_by_name("warnings");
        let warns =
            warnings.is_some_and(|field| matches!(&*field, Field::List(all) if !all.is_empty()));
        if self.status == 204 && warns { 200 } else { self.status }
    }

    /// True when the answer is a stream.
    pub fn is_stream(&self) -> bool {
        self.rpc.is_server_streaming()
    }

    /// The messages of a stream as REST shows them: of one that may be of several kinds, the kind
    /// it holds.
    pub fn lines(&self, answers: &[DynamicMessage]) -> Value {
        let line = |answer: &DynamicMessage| {
            let held =
                answer.fields().next().filter(|(field, _)| field.containing_oneof().is_some());
            match held {
                Some((_, Field::Message(inner))) => into_json::json(inner),
                _ => into_json::json(answer),
            }
        };
        Value::Array(answers.iter().map(line).collect())
    }

    /// The answer as REST shows it.
    pub fn shown(&self, answer: &DynamicMessage) -> Value {
        if self.status(answer) == 204 {
            return Value::Null;
        }
        let field = answer.descriptor().get_field_by_name(&self.response_body);
        match field {
            None => into_json::json(answer),
            Some(field) => match &*answer.get_field(&field) {
                Field::Message(inner) => into_json::json(inner),
                _ => Value::Null,
            },
        }
    }
}

impl Routes {
    /// The RPC and the request of a call.
    pub fn request(&self, call: &Call) -> anyhow::Result<(&Route, DynamicMessage)> {
        let path = call.path.split('?').next().unwrap_or_default();
        let fits = |route: &&Route| route.verb == call.method && route.captures(path).is_some();
        // A literal piece outranks a captured one: `/respond/batch`.
        let found =
            self.0.iter().filter(fits).min_by_key(|route| route.template.matches('{').count());
        let route = found.with_context(|| format!("no RPC for {} {path}", call.method))?;
        let request = route.request(call, &route.captures(path).unwrap_or_default())?;
        Ok((route, request))
    }
}

/// Paths of the keys of a PATCH body, leaf by leaf.
fn mask(descriptor: &prost_reflect::MessageDescriptor, body: &Value, prefix: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (key, value) in body.as_object().into_iter().flatten() {
        let Some(field) = descriptor.fields().find(|field| field.json_name() == key) else {
            continue;
        };
        let path = format!("{prefix}{}", field.name());
        match (field.kind(), value) {
            (Kind::Message(inner), Value::Object(_))
                if !field.is_map() && !option::is_bare(&inner) =>
            {
                paths.extend(mask(&inner, value, &format!("{path}.")));
            }
            _ => paths.push(path),
        }
    }
    for oneof in descriptor.oneofs() {
        let Some(tagged) = option::tagged(&oneof) else { continue };
        let Some(word) = body.get(&tagged.tag).and_then(Value::as_str) else { continue };
        let Some(Kind::Message(inner)) =
            descriptor.get_field_by_name(word).map(|field| field.kind())
        else {
            continue;
        };
        let inside =
            if tagged.is_flat { body } else { body.get(&tagged.content).unwrap_or(&Value::Null) };
        let mut inner_paths = mask(&inner, inside, &format!("{prefix}{word}."));
        if inner_paths.is_empty() {
            inner_paths.push(format!("{prefix}{word}"));
        }
        paths.extend(inner_paths);
    }
    paths
}

fn set_mask(request: &mut DynamicMessage, paths: &Value) {
    let paths = paths.as_array().into_iter().flatten().filter_map(Value::as_str);
    let paths = Field::List(paths.map(|path| Field::String(path.to_owned())).collect());
    let Some(field) = request.descriptor().get_field_by_name("update_mask") else { return };
    if let Field::Message(mask) = request.get_field_mut(&field) {
        mask.set_field_by_name("paths", paths);
    }
}

/// Sets the scalar, word or instant at a proto path.
fn set(message: &mut DynamicMessage, path: &str, text: &str) -> anyhow::Result<()> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let field = message
        .descriptor()
        .get_field_by_name(head)
        .with_context(|| format!("no field `{head}`"))?;
    if let Some(rest) = rest {
        let Field::Message(inner) = message.get_field_mut(&field) else {
            bail!("`{head}` holds no fields")
        };
        return set(inner, rest, text);
    }
    let value = match field.kind() {
        Kind::String => Field::String(text.to_owned()),
        Kind::Int32 => Field::I32(text.parse()?),
        Kind::Bool => Field::Bool(text.parse()?),
        kind @ (Kind::Enum(_) | Kind::Message(_)) => {
            from_json::single(&kind, &Value::String(text.to_owned()))?
        }
        other => bail!("a {other:?} in a path"),
    };
    match message.get_field_mut(&field) {
        // A parameter of the query may be given several times.
        Field::List(items) => items.push(value),
        _ => message.set_field(&field, value),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What a call becomes, and its own JSON again.
    fn check(method: &str, path: &str, body: Value, rpc: &str, expected: Value) {
        let routes = Routes::default();
        let call =
            Call { method: method.into(), path: path.into(), body: Some(body), script: None };
        let (route, request) = routes.request(&call).unwrap();
        assert_eq!(route.rpc.name(), rpc);
        let shown = into_json::json(&request);
        assert_eq!(
            crate::expectation::differences(&expected, Some(&shown)),
            Vec::<String>::new(),
            "{shown}"
        );
    }

    #[test]
    fn calls_become_the_messages_they_stand_for() {
        let rule = json!({"field": "a", "op": ">=", "value": 90});
        let offer =
            json!({"name": "A", "category": "B", "qualificationRules": [rule, {"not": rule}]});
        check("POST", "/api/v1/offers", offer.clone(), "CreateOffer", json!({"offer": offer}));
        let policy = json!({"name": "P", "ruleType": "frequency_cap", "windowDays": 30,
            "maxImpressions": 3});
        check(
            "POST",
            "/api/v1/contact-policies",
            policy.clone(),
            "CreateContactPolicy",
            json!({"contactPolicy": policy}),
        );
        let node = json!({"id": "inv", "type": "inventory", "config": {"categories": ["A"]}});
        let flow =
            json!({"name": "W", "config": {"nodes": [node, {"id": "c", "type": "compute"}]}});
        check(
            "POST",
            "/api/v1/decision-flows",
            flow.clone(),
            "CreateDecisionFlow",
            json!({"decisionFlow": flow}),
        );
        let record = json!({"consentEmail": true, "lifetimeRevenue": 320.5, "note": null});
        check(
            "PUT",
            "/api/v1/schemas/Customer/records/c%201",
            record.clone(),
            "PutRecord",
            json!({"record": record}),
        );
        let quiet =
            json!({"config": {"quietHoursStart": "21:00", "timezoneSource": "customer.timezone"}});
        check(
            "PATCH",
            "/api/v1/channels/email",
            quiet.clone(),
            "UpdateChannel",
            json!({"id": "email", "channel": quiet}),
        );
        check(
            "GET",
            "/api/v1/offers?pageSize=5",
            Value::Null,
            "ListOffers",
            json!({"pageSize": 5}),
        );
    }

    #[test]
    fn a_patch_names_what_it_changes() {
        let routes = Routes::default();
        let body = json!({"name": "x", "config": {"quietHoursEnd": "09:00"}});
        let call = Call {
            method: "PATCH".into(),
            path: "/api/v1/channels/email".into(),
            body: Some(body),
            script: None,
        };
        let (_, request) = routes.request(&call).unwrap();
        let mask = request.get_field_by_name("update_mask").unwrap().into_owned();
        let paths = mask.as_message().unwrap().get_field_by_name("paths").unwrap().into_owned();
        let listed: Vec<_> =
            paths.as_list().unwrap().iter().filter_map(|path| path.as_str()).collect();
        assert_eq!(listed, ["name", "config.quiet_hours_end"]);
    }
}
