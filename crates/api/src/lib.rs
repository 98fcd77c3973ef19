//! the Countersign HTTP API: routes, OpenAPI, authentication, limits.
