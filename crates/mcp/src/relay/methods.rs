//! Which methods pass, by name. What stands in no list does not pass.

/// What becomes of a request of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientMethod {
    /// It passes; its answer holds nothing that a tool returned.
    Pass,
    /// It passes, and says what the client is and can.
    Initialize,
    /// It passes, and its answer is filtered.
    ListTools,
    /// It is judged, and its answer recorded.
    Judge(JudgedMethod),
    /// It passes if it is about a task of a call that was judged here; its answer may hold what
    /// the tool returned.
    Task,
    /// It is not relayed.
    Refuse,
}

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JudgedMethod {
    /// `tools/call`
    Call,
    /// `resources/read`
    Read,
    /// `prompts/get`
    Prompt,
    /// `completion/complete`
    Complete,
}

/// What begins the names by which everything but `tools/call` is judged. No tool of a server may
/// be called so: it would be judged as something else than it is.
const RESERVED: [&str; 3] = ["mcp.resources.", "mcp.prompts.", "mcp.completion."];

impl ClientMethod {
    /// What becomes of a request by the name of its method.
    pub fn of(method: &str) -> Self {
        match method {
            "initialize" => Self::Initialize,
            "tools/list" => Self::ListTools,
            "tools/call" => Self::Judge(JudgedMethod::Call),
            "resources/read" => Self::Judge(JudgedMethod::Read),
            "prompts/get" => Self::Judge(JudgedMethod::Prompt),
            "completion/complete" => Self::Judge(JudgedMethod::Complete),
            "tasks/get" | "tasks/result" | "tasks/cancel" | "tasks/update" => Self::Task,
            // What lists, subscribes and tells brings names and that something changed, no content.
            "ping"
            | "server/discover"
            | "resources/list"
            | "resources/templates/list"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "prompts/list"
            | "subscriptions/listen"
            | "logging/setLevel"
            | "tasks/list" => Self::Pass,
            _ => Self::Refuse,
        }
    }

    /// Whether a notification of the client passes.
    pub fn passes_told(method: &str) -> bool {
        matches!(
            method,
            "notifications/initialized"
                | "notifications/cancelled"
                | "notifications/progress"
                | "notifications/roots/list_changed"
                | "notifications/tasks/status"
        )
    }
}

impl JudgedMethod {
    /// The name of the tool that it is judged as; a call has its own.
    pub(crate) fn tool(self) -> Option<&'static str> {
        match self {
            Self::Call => None,
            Self::Read => Some("mcp.resources.read"),
            Self::Prompt => Some("mcp.prompts.get"),
            Self::Complete => Some("mcp.completion.complete"),
        }
    }

    /// The members of its parameters that say what is asked for.
    pub(crate) fn members(self) -> &'static [&'static str] {
        match self {
            Self::Call | Self::Prompt => &["name", "arguments"],
            Self::Read => &["uri"],
            Self::Complete => &["ref", "argument", "context"],
        }
    }
}

/// Whether a tool's name is one that something else is judged by.
pub(crate) fn is_reserved(tool: &str) -> bool {
    RESERVED.iter().any(|begin| tool.starts_with(begin))
}

/// What becomes of a request of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerMethod {
    /// It passes.
    Pass,
    /// It passes if the client said that it has this capability.
    IfDeclared(Capability),
    /// It is not relayed.
    Refuse,
}

/// What a client may say that servers can ask of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// To ask its model.
    Sampling,
    /// To ask its person.
    Elicitation,
    /// To name its directories.
    Roots,
}

impl ServerMethod {
    /// What becomes of a request by the name of its method.
    pub fn of(method: &str) -> Self {
        match method {
            "ping" => Self::Pass,
            "sampling/createMessage" => Self::IfDeclared(Capability::Sampling),
            "elicitation/create" => Self::IfDeclared(Capability::Elicitation),
            "roots/list" => Self::IfDeclared(Capability::Roots),
            _ => Self::Refuse,
        }
    }

    /// Whether a notification of the server passes.
    pub fn passes_told(method: &str) -> bool {
        matches!(
            method,
            "notifications/message"
                | "notifications/progress"
                | "notifications/cancelled"
                | "notifications/tools/list_changed"
                | "notifications/resources/list_changed"
                | "notifications/resources/updated"
                | "notifications/prompts/list_changed"
                | "notifications/elicitation/complete"
                | "notifications/subscriptions/acknowledged"
                | "notifications/tasks/status"
                | "notifications/tasks"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_no_list_does_not_pass() {
        for method in [
            "tools/Call",
            "tools/call ",
            "sampling/createMessage",
            "x",
            "interceptor/invoke",
        ] {
            assert_eq!(ClientMethod::of(method), ClientMethod::Refuse, "{method}");
            assert!(!ClientMethod::passes_told(method));
        }
        for method in ["tools/call", "tools/list", "initialize", "x"] {
            assert_eq!(ServerMethod::of(method), ServerMethod::Refuse, "{method}");
            assert!(!ServerMethod::passes_told(method));
        }
    }

    #[test]
    fn what_is_judged_is_what_a_reader_of_bytes_takes_for_judged() {
        for method in [
            "tools/call",
            "resources/read",
            "prompts/get",
            "completion/complete",
            "ping",
        ] {
            let is_judged = matches!(ClientMethod::of(method), ClientMethod::Judge(_));
            assert_eq!(is_judged, crate::jsonrpc::is_judged(method), "{method}");
        }
    }
}
