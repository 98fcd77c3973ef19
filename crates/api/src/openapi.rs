//! The description of the API: what is not said at the routes themselves.

use countersign_wire::Problem;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Info, OpenApi, Paths, Ref, RefOr, ResponseBuilder};

use crate::routes;

/// The scheme's name in the document.
const BEARER: &str = "bearer";

/// The document without its routes. The title and the rest are ours: utoipa-axum would put its own.
#[derive(utoipa::OpenApi)]
#[openapi(
    components(schemas(Problem)),
    tags(
        (name = "turns", description = "What a person asked for, and ending it"),
        (name = "decisions", description = "What an agent may do, and what came of it"),
        (name = "entries", description = "Reading the ledger"),
        (name = "flags", description = "What the detectors raised"),
        (name = "bundles", description = "The rules"),
        (name = "directory", description = "What the rules know of contacts, accounts and users"),
        (name = "credentials", description = "Who may do what"),
        (name = "vault", description = "Sealed records"),
        (name = "log", description = "The log itself, and its keys, for those who trust nobody"),
        (name = "operation", description = "Running the server"),
    )
)]
struct Frame;

/// What all routes are added to.
pub(crate) fn frame() -> OpenApi {
    let mut document = Frame::openapi();
    document.info = info();
    document.servers = None;
    document
}

fn info() -> Info {
    let mut info = Info::new("Countersign", "1");
    info.description = Some(
        "Decides, at the moment of each tool call, whether it follows from what a person asked for, and commits the \
         decision to a transparent log before it is answered. Errors are RFC 9457 problem documents with a stable `code`; \
         every answer carries `x-request-id`. Unknown members, duplicate keys and unknown query parameters are errors."
            .to_owned(),
    );
    info.license = Some(utoipa::openapi::License::new("Apache-2.0"));
    info
}

/// Adds what holds for every route.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    if let Some(components) = &mut document.components {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("cs_…")
            .description(Some(
                "A credential's token. What it may do is in its roles.",
            ))
            .build();
        components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    }
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(
        BEARER,
        [],
    )]);
    let items = std::mem::take(&mut document.paths.paths);
    document.paths = Paths::new();
    for (path, mut item) in items {
        operations(&mut item).for_each(add_problem);
        // axum's way to say that a segment may hold slashes is not OpenAPI's.
        document.paths.paths.insert(path.replace("{*", "{"), item);
    }
    document
}

/// The document as text, with a line end.
pub(crate) fn text(document: &OpenApi) -> Result<String, serde_json::Error> {
    let mut text = document.to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

/// The OpenAPI document that a server serves at `/openapi.json`.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    text(&routes::all().1)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

fn add_problem(operation: &mut Operation) {
    let problem = ResponseBuilder::new()
        .description("An error")
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(RefOr::Ref(Ref::from_schema_name("Problem"))))
                .build(),
        )
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), RefOr::T(problem));
}
