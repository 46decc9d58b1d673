//! The API described as `OpenAPI` has it, from the table of routes itself: none can be left out.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::Method;
use http::header::CONTENT_TYPE;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required,
    ResponseBuilder, Schema, ServerBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use super::problem::Problem;
use super::route::Route;
use super::{BASE, not_so, routes};
use crate::domain::Role;

/// What a type looks like, and the types it refers to.
#[derive(Clone)]
pub(super) struct Shape {
    schema: RefOr<Schema>,
    parts: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    pub(super) fn of<T: ToSchema>() -> Self {
        let mut parts = Vec::new();
        T::schemas(&mut parts);
        Self { schema: T::schema(), parts }
    }

    /// A type that refers to `T` as its parameter.
    pub(super) fn around<T: ToSchema>(self) -> Self {
        let mut parts = self.parts;
        parts.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut parts);
        Self { parts, ..self }
    }
}

/// The document, which does not change while the program runs.
static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| document().to_json().unwrap_or_else(|error| error.to_string()));

/// Returns what serves the document; it tells nothing that the source code does not.
pub(super) fn router() -> Router {
    Router::new().route("/api/openapi.json", get(served)).method_not_allowed_fallback(not_so)
}

async fn served() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// Describes every route.
fn document() -> OpenApi {
    let mut paths = Paths::new();
    let mut parts = BTreeMap::from([("Problem".to_owned(), Problem::schema())]);
    for route in routes() {
        let method = if route.method == Method::GET { HttpMethod::Get } else { HttpMethod::Post };
        let shapes = [&route.takes, &route.answers];
        parts.extend(shapes.into_iter().flatten().flat_map(|shape| shape.parts.clone()));
        paths.add_path_operation(route.path, vec![method], operation(&route));
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("lw_ID_SECRET")
        .description(Some("`listwarden token create` makes one"));
    let info =
        InfoBuilder::new().title("Listwarden").version(env!("CARGO_PKG_VERSION")).description(
            Some("What an admin may see and do. Every act and every refused one is on record."),
        );
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([ServerBuilder::new().url(BASE).build()]))
        .paths(paths)
        .security(Some([SecurityRequirement::new("token", Vec::<String>::new())]))
        .components(Some(
            ComponentsBuilder::new()
                .schemas_from_iter(parts)
                .security_scheme("token", SecurityScheme::Http(bearer.build()))
                .build(),
        ))
        .build()
}

fn operation(route: &Route) -> OperationBuilder {
    let roles = Role::ALL.iter().filter(|role| role.may(route.act)).map(|role| role.word());
    let everywhere = if route.everywhere { ", of a token for all clinics" } else { "" };
    let who = format!("For {}{everywhere}.", roles.collect::<Vec<_>>().join(", "));
    let words = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let id: String = route.path.chars().filter(|c| !matches!(c, '{' | '}')).map(words).collect();
    let of_clinic = route.path.trim_start_matches("/clinics/{clinic}");
    let tag = of_clinic.trim_start_matches('/').split('/').next().unwrap_or_default();
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("{}{id}", route.method.as_str().to_lowercase())))
        .tag(if tag.is_empty() { "clinics" } else { tag })
        .summary(Some(route.what))
        .description(Some(who));
    for parameter in parameters(route) {
        operation = operation.parameter(parameter);
    }
    if let Some(takes) = &route.takes {
        let body = RequestBodyBuilder::new()
            .content("application/json", Content::new(Some(takes.schema.clone())))
            .required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    operation = operation.response(route.status.as_str(), good(route, "Done."));
    if route.may_go_on {
        operation = operation.response("202", good(route, "Not done yet: it goes on."));
    }
    for (status, when) in PROBLEMS {
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        let response =
            ResponseBuilder::new().description(*when).content("application/problem+json", problem);
        operation = operation.response(*status, response);
    }
    operation
}

/// What is answered where all is well.
fn good(route: &Route, what: &str) -> ResponseBuilder {
    let mut good = ResponseBuilder::new().description(what);
    if let Some(shape) = &route.answers {
        let shape = shape.schema.clone();
        good = if route.streams {
            good.content("text/event-stream", Content::new(Some(event(&shape))))
        } else {
            good.content("application/json", Content::new(Some(shape)))
        };
    }
    match route.file {
        Some(kind) => {
            let bytes = ObjectBuilder::new().schema_type(Type::String).content_media_type(kind);
            good.content(kind, Content::new(Some(bytes)))
        }
        None => good,
    }
}

/// Every problem has the same form.
const PROBLEMS: &[(&str, &str)] = &[
    ("400", "What was sent cannot be taken."),
    ("401", "No token that holds."),
    ("403", "The token may not."),
    ("404", "Nothing of that name is there, or not for this token."),
    ("409", "It cannot be done as things are."),
    ("413", "The body is too large."),
    ("415", "The body is not said to be JSON."),
    ("429", "Too much at once; `Retry-After` says until when."),
    ("5XX", "It failed; the log says why, by the id in `x-request-id`."),
];

fn parameters(route: &Route) -> Vec<Parameter> {
    let named = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let is_slug = matches!(name, "clinic" | "list");
        let schema = if is_slug { ObjectBuilder::new().schema_type(Type::String) } else { id() };
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
        Some(parameter.required(Required::True).schema(Some(schema)).build())
    });
    let asked = route.asks.iter().map(|name| {
        let schema = match *name {
            "limit" => ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1))
                .maximum(Some(super::paging::MOST)),
            "from" | "to" => {
                let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
                ObjectBuilder::new().schema_type(Type::String).format(Some(format))
            }
            "people" => ObjectBuilder::new().schema_type(Type::Boolean),
            _ => ObjectBuilder::new().schema_type(Type::String),
        };
        let parameter = ParameterBuilder::new().name(*name).parameter_in(ParameterIn::Query);
        parameter.required(Required::False).schema(Some(schema)).build()
    });
    named.chain(asked).collect()
}

/// What one event of a stream has: its name, and JSON of that shape.
fn event(shape: &RefOr<Schema>) -> ObjectBuilder {
    let data = ObjectBuilder::new()
        .schema_type(Type::String)
        .content_media_type("application/json")
        .extensions(Some([("x-schema", serde_json::json!(shape))].into_iter().collect()));
    let text = ObjectBuilder::new().schema_type(Type::String);
    ObjectBuilder::new().property("event", text).property("data", data).required("data")
}

fn id() -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(KnownFormat::Uuid);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format))
}

/// Ids are UUIDs.
macro_rules! ids {
    ($($name:ty),+ $(,)?) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                id().into()
            }
        }
        impl ToSchema for $name {}
    )+};
}

/// Words are one of a few.
macro_rules! words {
    ($($name:ty),+ $(,)?) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = <$name>::ALL.iter().map(|word| word.word());
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
            }
        }
        impl ToSchema for $name {}
    )+};
}

mod shapes {
    use super::{ObjectBuilder, PartialSchema, RefOr, Schema, ToSchema, Type, id};
    use crate::domain::{
        Act, Actor, By, Channel, Class, ClinicId, ContactId, EventId, EventKind, LinkId, ListId,
        MemberStatus, OptOutKind, PatientId, Reason, RunId, TimeSource, Verb,
    };
    use crate::store::{AuditOutcome, OpState, ReviewKind};

    ids!(ClinicId, ContactId, EventId, LinkId, ListId, PatientId, RunId);
    words!(
        Act,
        Actor,
        AuditOutcome,
        By,
        Channel,
        Class,
        EventKind,
        MemberStatus,
        OpState,
        OptOutKind,
        Reason,
        ReviewKind,
        TimeSource,
        Verb,
        crate::domain::Origin,
        crate::domain::Role,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_types_have_one_name() {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for route in routes() {
            let shapes = [route.takes, route.answers];
            for (name, schema) in shapes.into_iter().flatten().flat_map(|shape| shape.parts) {
                let text = serde_json::to_string(&schema).unwrap();
                let before = seen.entry(name.clone()).or_insert_with(|| text.clone());
                assert_eq!(*before, text, "{name}");
            }
        }
    }

    #[test]
    fn every_route_is_described_with_its_answer_and_what_acts_with_its_body() {
        let document = serde_json::to_value(document()).unwrap();
        for route in routes() {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            let answer = &operation["responses"][route.status.as_str()]["content"];
            assert!(answer.is_object(), "{route:?}");
            let retries = route.path.ends_with("/retry");
            let has_body = operation["requestBody"].is_object();
            assert_eq!(has_body, route.method == Method::POST && !retries, "{route:?}");
        }
    }
}
