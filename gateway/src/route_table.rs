//! Every REST call of the contracts, found by path and method. Built once from the descriptors; no
//! call is named here.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use http::{HeaderValue, Method, StatusCode};
use prost_reflect::{
    DescriptorPool, FieldDescriptor, Kind as ProtoKind, MessageDescriptor, MethodDescriptor,
};
use tonic::codegen::http::uri::PathAndQuery;

use crate::{
    annotation::{Annotations, HttpRule},
    json::{
        field_path::Root,
        shape::{Field, Form, Kind, Object, Plurality, Shape, ShapeId, Shapes, Step, Target},
    },
    neighbours::Service,
    path_template::{self, Segment},
};

/// Largest body of an ordinary call.
pub const BODY_BYTES_MAX: usize = 256 << 10;
/// Largest body of a call that takes a list of messages.
pub const BULK_BODY_BYTES_MAX: usize = 4 << 20;

/// The field of a request that says: check only, write nothing.
const VALIDATE_ONLY: &str = "validate_only";

/// All public calls.
#[derive(Debug)]
pub struct RouteTable {
    /// How messages read as JSON.
    pub shapes: Shapes,
    /// The gRPC paths of public methods, and the services that serve them.
    pub methods: HashMap<String, Service>,
    /// The largest message of each of these methods, in bytes. For a stream it is that of one
    /// message.
    pub message_bytes_max: HashMap<String, usize>,
    /// The calls that check a resource without writing it, by the kind of the resource.
    pub checks: BTreeMap<String, Arc<Route>>,
    /// The gRPC paths of streams, and the plans of their answers.
    pub streams: HashMap<String, ShapeId>,
    root: Node,
    depth: usize,
}

/// One REST call.
#[derive(Debug)]
pub struct Route {
    /// Path of the gRPC method.
    pub path: PathAndQuery,
    /// The service that serves it.
    pub service: Service,
    /// Plan of the request.
    pub request: ShapeId,
    /// Plan of the answer.
    pub answer: ShapeId,
    /// Fields taken from the path, in the order of its variables.
    pub variables: Vec<Variable>,
    /// What the body is.
    pub body: Body,
    /// The field of the answer that is its body; the whole answer without one.
    pub answer_body: Option<Arc<Field>>,
    /// Status of success.
    pub success: StatusCode,
    /// Fields taken from the query, by key.
    pub query: HashMap<String, Arc<Field>>,
    /// The field that takes the mask of a PATCH.
    pub mask: Option<Arc<Field>>,
    /// The field of the body that an `Idempotency-Key` header fills.
    pub idempotency_key: Option<FieldDescriptor>,
    /// Largest body.
    pub body_bytes_max: usize,
    /// The field of the answer that holds warnings.
    pub warnings: Option<FieldDescriptor>,
    /// The field of the request that says: check only, write nothing.
    pub validate_only: Option<FieldDescriptor>,
    /// Plan of an item, when the call takes a batch whose items are read each for itself.
    pub item: Option<ShapeId>,
    /// The answer is a stream: JSON Lines.
    pub is_stream: bool,
    /// Where a message of the stream is one of several kinds: their fields and plans.
    pub kinds: Vec<(FieldDescriptor, ShapeId)>,
}

/// What the body of a call is.
#[derive(Debug)]
pub enum Body {
    /// There is none.
    None,
    /// The request.
    Whole,
    /// One field of the request.
    Field(Arc<Field>),
}

/// A field of the request that a path names.
#[derive(Debug)]
pub struct Variable {
    /// The messages on the way, outermost first.
    pub parents: Vec<FieldDescriptor>,
    /// The field.
    pub field: Arc<Field>,
}

/// The calls of a path.
#[derive(Debug)]
pub struct Found<'t, 'p> {
    /// The calls by method.
    pub routes: &'t [(Method, Arc<Route>)],
    /// Raw segments, the values of the variables.
    pub values: Vec<&'p str>,
}

impl Found<'_, '_> {
    /// The call for a method; HEAD is GET without its body.
    pub fn route(&self, method: &Method) -> Option<&Arc<Route>> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.routes.iter().find(|(known, _)| known == method).map(|(_, route)| route)
    }

    /// The allowed methods, as a header value.
    pub fn allow(&self) -> HeaderValue {
        let mut methods: BTreeSet<_> =
            self.routes.iter().map(|(method, _)| method.as_str()).collect();
        methods.insert("OPTIONS");
        if methods.contains("GET") {
            methods.insert("HEAD");
        }
        let joined = methods.into_iter().collect::<Vec<_>>().join(", ");
        HeaderValue::try_from(joined).unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"))
    }
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    variable: Option<Box<Node>>,
    routes: Vec<(Method, Arc<Route>)>,
}

impl Node {
    fn find<'t, 'p>(&'t self, segments: &[&'p str], values: &mut Vec<&'p str>) -> Option<&'t Node> {
        let Some((first, rest)) = segments.split_first() else {
            return (!self.routes.is_empty()).then_some(self);
        };
        // A word is tried before a variable.
        if let Some(node) = self.literals.get(*first).and_then(|node| node.find(rest, values)) {
            return Some(node);
        }
        let node = self.variable.as_ref().filter(|_| !first.is_empty())?;
        values.push(first);
        let found = node.find(rest, values);
        if found.is_none() {
            values.pop();
        }
        found
    }
}

impl RouteTable {
    /// The calls of all services in `pool`.
    pub fn build(pool: &DescriptorPool) -> anyhow::Result<Self> {
        let annotations = Annotations::of(pool)?;
        let mut table = Self {
            shapes: Shapes::default(),
            methods: HashMap::new(),
            message_bytes_max: HashMap::new(),
            checks: BTreeMap::new(),
            streams: HashMap::new(),
            root: Node::default(),
            depth: 0,
        };
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let rules = annotations.http_rules(&method)?;
            if annotations.is_grpc_only(&method) {
                let (_, path) = table.admit(&method)?;
                table.message_bytes_max.insert(path.clone(), BULK_BODY_BYTES_MAX);
                let answer = table.shapes.add(&annotations, &method.output())?;
                table.streams.insert(path, answer);
            }
            if rules.is_empty() {
                continue;
            }
            let planned = table.add(&annotations, &method, rules);
            planned.with_context(|| format!("method {} has no REST form", method.full_name()))?;
        }
        ensure!(!table.methods.is_empty(), "the contracts declare no public method");
        Ok(table)
    }

    /// Full names of the services with a public method.
    pub fn services(&self) -> BTreeSet<String> {
        let services =
            self.methods.keys().filter_map(|path| path.strip_prefix('/')?.split_once('/'));
        services.map(|(service, _)| service.to_owned()).collect()
    }

    /// The calls of a raw path.
    pub fn find<'t, 'p>(&'t self, path: &'p str) -> Option<Found<'t, 'p>> {
        let segments: Vec<_> = path_template::split(path).take(self.depth + 1).collect();
        let mut values = Vec::new();
        let node = self.root.find(&segments, &mut values)?;
        Some(Found { routes: &node.routes, values })
    }

    /// The messages against which field paths in errors are resolved.
    pub fn error_root<'t>(&'t self, route: &'t Route) -> Root<'t> {
        let body =
            if let Body::Field(field) = &route.body { Some(field.name.as_str()) } else { None };
        Root { shapes: &self.shapes, request: route.request, body }
    }

    /// An item of a batch, as a message against which field paths are resolved.
    pub fn item_root(&self, item: ShapeId) -> Root<'_> {
        Root { shapes: &self.shapes, request: item, body: None }
    }

    fn add(
        &mut self,
        annotations: &Annotations,
        method: &MethodDescriptor,
        rules: Vec<HttpRule>,
    ) -> anyhow::Result<()> {
        let is_stream = method.is_server_streaming();
        let is_read = rules.iter().all(|rule| rule.method == Method::GET);
        ensure!(!method.is_client_streaming(), "it takes a stream");
        ensure!(!is_stream || is_read, "it streams and is no GET");
        let (service, path) = self.admit(method)?;
        let request = self.shapes.add(annotations, &method.input())?;
        let answer = self.shapes.add(annotations, &method.output())?;
        self.message_bytes_max.insert(path.clone(), body_bytes_max(self.object(request)?));
        let success = annotations.http_status(method)?;
        let kinds = if is_stream { self.kinds(annotations, &method.output())? } else { Vec::new() };
        for rule in rules {
            let segments = path_template::parse(&rule.path)?;
            let object = self.object(request)?;
            let mut variables = Vec::new();
            for segment in &segments {
                if let Segment::Variable(name) = segment {
                    variables.push(self.variable(object, name)?);
                }
            }
            let body = match rule.body.as_str() {
                "" => Body::None,
                "*" => Body::Whole,
                name => Body::Field(field(object, name)?),
            };
            let answer_body = match rule.response_body.as_str() {
                "" => None,
                name => Some(field(self.object(answer)?, name)?),
            };
            let route = Route {
                path: path.parse()?,
                service,
                request,
                answer,
                query: query(object, &variables, &body),
                mask: if rule.method == Method::PATCH { self.mask(object) } else { None },
                idempotency_key: self
                    .body_message(&body, &method.input())?
                    .and_then(|body| idempotency_key(&body)),
                body_bytes_max: body_bytes_max(object),
                warnings: warnings(&method.output()),
                item: item(object),
                validate_only: method.input().get_field_by_name(VALIDATE_ONLY),
                is_stream,
                kinds: kinds.clone(),
                variables,
                body,
                answer_body,
                success,
            };
            self.insert(rule.method, &segments, route)?;
        }
        Ok(())
    }

    /// The kinds of an answer that is one of several: all its fields are messages of one oneof.
    fn kinds(
        &mut self,
        annotations: &Annotations,
        answer: &MessageDescriptor,
    ) -> anyhow::Result<Vec<(FieldDescriptor, ShapeId)>> {
        let mut kinds = Vec::new();
        for field in answer.fields() {
            match (field.kind(), field.containing_oneof()) {
                (ProtoKind::Message(message), Some(oneof)) if !oneof.is_synthetic() => {
                    kinds.push((field, self.shapes.add(annotations, &message)?));
                }
                _ => return Ok(Vec::new()),
            }
        }
        Ok(if answer.oneofs().len() == 1 { kinds } else { Vec::new() })
    }

    /// Adds a public method to the gRPC paths; returns its service and its path there.
    fn admit(&mut self, method: &MethodDescriptor) -> anyhow::Result<(Service, String)> {
        let service = Service::of_package(method.parent_service().package_name())?;
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        self.methods.insert(path.clone(), service);
        Ok((service, path))
    }

    fn insert(&mut self, method: Method, segments: &[Segment], route: Route) -> anyhow::Result<()> {
        let mut node = &mut self.root;
        for segment in segments {
            node = match segment {
                Segment::Literal(word) => node.literals.entry(word.clone()).or_default(),
                Segment::Variable(_) => node.variable.get_or_insert_default(),
            };
        }
        ensure!(
            node.routes.iter().all(|(known, _)| *known != method),
            "another method has the same REST call"
        );
        let route = Arc::new(route);
        if let (Some(_), Body::Field(field)) = (&route.validate_only, &route.body) {
            self.checks.insert(field.name.clone(), Arc::clone(&route));
        }
        node.routes.push((method, route));
        self.depth = self.depth.max(segments.len());
        Ok(())
    }

    fn object(&self, id: ShapeId) -> anyhow::Result<&Object> {
        match self.shapes.at(id) {
            Some(Shape { form: Form::Object(object), .. }) => Ok(object),
            _ => bail!("its request or answer is no object"),
        }
    }

    fn variable(&self, object: &Object, path: &str) -> anyhow::Result<Variable> {
        let (mut object, mut parents, mut rest) = (object, Vec::new(), path);
        while let Some((head, tail)) = rest.split_once('.') {
            let parent = field(object, head)?;
            let Kind::Message(id) = parent.kind else {
                bail!("`{head}` of the path is no message")
            };
            object = self.object(id)?;
            parents.push(parent.descriptor.clone());
            rest = tail;
        }
        let field = field(object, rest)?;
        ensure!(is_scalar(&field), "`{path}` of the path is no scalar");
        Ok(Variable { parents, field })
    }

    fn mask(&self, object: &Object) -> Option<Arc<Field>> {
        let is_mask = |field: &&Arc<Field>| {
            let Kind::Message(id) = field.kind else { return false };
            self.shapes.at(id).is_some_and(|shape| matches!(shape.form, Form::Mask(_)))
        };
        fields(object).find(is_mask).cloned()
    }

    fn body_message(
        &self,
        body: &Body,
        request: &MessageDescriptor,
    ) -> anyhow::Result<Option<MessageDescriptor>> {
        Ok(match body {
            Body::None => None,
            Body::Whole => Some(request.clone()),
            Body::Field(field) => match field.descriptor.kind() {
                ProtoKind::Message(message) if field.plurality == Plurality::One => Some(message),
                _ => bail!("the body is no message"),
            },
        })
    }
}

fn field(object: &Object, name: &str) -> anyhow::Result<Arc<Field>> {
    match object.names.get(name) {
        Some(Step::Field(field)) => Ok(Arc::clone(field)),
        _ => bail!("it has no field `{name}`"),
    }
}

fn fields(object: &Object) -> impl Iterator<Item = &Arc<Field>> {
    object
        .keys
        .values()
        .filter_map(|target| if let Target::Field(field) = target { Some(field) } else { None })
}

fn is_scalar(field: &Field) -> bool {
    field.plurality == Plurality::One && !matches!(field.kind, Kind::Message(_))
}

/// The fields that are in neither path nor body and can be written as text.
fn query(object: &Object, variables: &[Variable], body: &Body) -> HashMap<String, Arc<Field>> {
    let body = match body {
        Body::Whole => return HashMap::new(),
        Body::Field(field) => Some(&field.name),
        Body::None => None,
    };
    let in_path = |field: &Field| {
        variables.iter().any(|found| found.parents.is_empty() && found.field.name == field.name)
    };
    let is_text = |field: &Field| match field.descriptor.kind() {
        ProtoKind::Message(message) => {
            matches!(message.full_name(), "google.protobuf.Timestamp" | "google.protobuf.FieldMask")
        }
        _ => true,
    };
    let fits = |field: &&Arc<Field>| {
        Some(&field.name) != body
            && !in_path(field)
            && is_text(field)
            && field.plurality != Plurality::Map
    };
    fields(object).filter(fits).map(|field| (field.key.clone(), Arc::clone(field))).collect()
}

fn body_bytes_max(object: &Object) -> usize {
    if takes_messages(object) { BULK_BODY_BYTES_MAX } else { BODY_BYTES_MAX }
}

fn takes_messages(object: &Object) -> bool {
    fields(object)
        .any(|field| field.plurality == Plurality::List && matches!(field.kind, Kind::Message(_)))
}

fn item(object: &Object) -> Option<ShapeId> {
    let list = fields(object).find(|field| object.takes_unread(field))?;
    if let Kind::Message(item) = list.kind { Some(item) } else { None }
}

fn idempotency_key(body: &MessageDescriptor) -> Option<FieldDescriptor> {
    let field = body.get_field_by_name("idempotency_key")?;
    (field.kind() == ProtoKind::String && !field.is_list()).then_some(field)
}

fn warnings(answer: &MessageDescriptor) -> Option<FieldDescriptor> {
    answer.get_field_by_name("warnings").filter(FieldDescriptor::is_list)
}

#[cfg(test)]
mod tests;
