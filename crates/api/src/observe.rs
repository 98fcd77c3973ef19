//! Around every request: its ids, its problem document, its metrics and its line in the log. Never
//! a body, a token or the value of a query.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::context::{Link, RequestContext};
use crate::error::ApiError;
use crate::metrics::method_name;

/// The name of requests that match no route.
const UNMATCHED: &str = "unmatched";

/// What a route says about its answer, for the log.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) outcome: String,
    pub(crate) entry_id: String,
}

/// Gives the request its ids, and looks after the answer.
pub(crate) async fn observe(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let context = RequestContext::new(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
    let method = request.method().clone();
    let link = Link::of(request.extensions()).cloned();
    if let Some(link) = &link {
        link.set_unread(!request.body().is_end_stream());
    }
    request.extensions_mut().insert(context.clone());
    let mut response = next.run(request).await;
    let error = response.extensions_mut().remove::<Arc<ApiError>>();
    if let Some(error) = &error {
        let allow = response.headers_mut().remove(header::ALLOW);
        response = error.respond(context.request_id());
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    finish(&mut response, &context, link.as_ref());
    app.metrics
        .answered(route, &method, response.status(), begun.elapsed());
    log(&Line {
        context: &context,
        route,
        method: &method,
        response: &response,
        error: error.as_deref(),
        begun,
    });
    response
}

/// What a panic is answered with. Its message is for the log alone.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    ApiError::internal(format!("a handler panicked: {message}")).into_response()
}

fn finish(response: &mut Response, context: &RequestContext, link: Option<&Link>) {
    let headers = response.headers_mut();
    context.echo(headers);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    // What follows on the connection would be the rest of a body that nobody reads.
    if link.is_some_and(Link::is_unread) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

struct Line<'a> {
    context: &'a RequestContext,
    route: &'a str,
    method: &'a Method,
    response: &'a Response,
    error: Option<&'a ApiError>,
    begun: Instant,
}

fn log(line: &Line<'_>) {
    let told = line.response.extensions().get::<Told>();
    let recorded = line.error.and_then(|error| error.entry_id.as_deref());
    let internal = line.error.and_then(|error| error.internal.as_deref());
    let status = line.response.status();
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                method = method_name(line.method),
                route = line.route,
                status = status.as_u16(),
                latency_us = u64::try_from(line.begun.elapsed().as_micros()).unwrap_or(u64::MAX),
                request_id = line.context.request_id(),
                trace_id = line.context.trace_id(),
                credential = line.context.credential().map(tracing::field::display),
                outcome = told.map(|told| told.outcome.as_str()),
                entry_id = told.map(|told| told.entry_id.as_str()).or(recorded),
                code = line.error.map(|error| error.code.name()),
                internal,
                "request"
            )
        };
    }
    let is_asked_again_and_again =
        status.is_success() && line.method == Method::GET && POLLED.contains(&line.route);
    match (status.is_server_error(), is_asked_again_and_again) {
        (true, _) => line!(error),
        (false, true) => line!(debug),
        (false, false) => line!(info),
    }
}

/// What somebody who waits asks for every second: one line for each would hide the others.
const POLLED: [&str; 2] = ["/v1/flags", "/v1/reviews"];

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_service::ErrorCode;

    use crate::error::Code;

    #[test]
    fn a_panic_is_an_internal_error_whose_message_stays_here() {
        let messages: [Box<dyn Any + Send>; 2] =
            [Box::new("index 7"), Box::new("index 7".to_owned())];
        for message in messages {
            let response = panicked(message);
            assert_eq!(response.status(), 500);
            let error = response.extensions().get::<Arc<ApiError>>().unwrap();
            assert_eq!(error.code, Code::Service(ErrorCode::Internal));
            assert!(error.internal.as_ref().unwrap().contains("index 7"));
            let shown = serde_json::to_string(&error.problem("R")).unwrap();
            assert!(!shown.contains("index 7"), "{shown}");
        }
    }
}
