//! Which request is which tool's call.

mod file;
mod pattern;

use std::collections::BTreeMap;

use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

pub use file::RoutesError;
pub(crate) use pattern::{Kind, Part};

use crate::target::Target;

/// What a routes file says.
#[derive(Debug, Clone)]
pub struct Routes {
    pub(crate) routes: Vec<Route>,
    /// The name of the upstream in permits, if it is not its address.
    pub(crate) destination: Option<String>,
    /// Whether a permit must name the very bytes.
    pub(crate) is_wire_required: bool,
    /// Headers of requests that pass beside the usual ones.
    pub(crate) forwarded: Vec<HeaderName>,
    /// Headers that the gate sets, which the agent need not know.
    pub(crate) set: Vec<(HeaderName, HeaderValue)>,
}

/// One kind of request.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: Vec<Part>,
    pub(crate) tool: String,
    pub(crate) audience: String,
    pub(crate) query: BTreeMap<String, Kind>,
    pub(crate) body: BodyMode,
    /// The only media type of a body, in lower case.
    pub(crate) media_type: String,
    /// Arguments that the request does not state.
    pub(crate) fixed: Map<String, Value>,
}

/// How the body becomes arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyMode {
    /// There must be none.
    None,
    /// A JSON object, whose members are arguments.
    Object,
    /// JSON that is one argument.
    Json(String),
    /// Text in UTF-8 that is one argument.
    Text(String),
    /// Any bytes; their digest is one argument.
    Digest(String),
}

impl Routes {
    /// Reads a routes file (TOML). `variable` gives the variables of the environment that it names.
    pub fn parse(
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, RoutesError> {
        file::read(text, variable)
    }

    /// The routes as text, one a line: method, path and tool.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.routes.iter().map(|route| {
            let path = pattern::show(&route.path);
            format!("{} {path} -> {}", route.method, route.tool)
        })
    }

    /// The first route that a request is of.
    pub(crate) fn find(&self, method: &Method, target: &Target<'_>) -> Option<&Route> {
        let mut of_method = self.routes.iter().filter(|route| route.method == *method);
        of_method.find(|route| pattern::matches(&route.path, &target.segments))
    }
}
