//! Real peers: clients and servers of `rmcp`, of both revisions, with the relay between them.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientConfig, ElicitRequestParams,
    ElicitResult, ErrorData, ListToolsResult, PaginatedRequestParams, ProtocolVersion,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt as _, RoleClient, RoleServer,
    ServerHandler,
};
use serde_json::{Value, json};

use super::world::{Relayed, World, content, lookup, mail, tools};

/// A server of the tools that these tests know.
#[derive(Clone)]
struct Tools {
    versions: &'static [ProtocolVersion],
    calls: Arc<AtomicUsize>,
}

const OLD: &[ProtocolVersion] = &[ProtocolVersion::V_2025_11_25];
const NEW: &[ProtocolVersion] = &[ProtocolVersion::V_2026_07_28];
const BOTH: &[ProtocolVersion] = &[ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(self.versions)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(serde_json::from_value(tools()).unwrap())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let result: CallToolResult =
            serde_json::from_value(content(&format!("{} done", request.name))).unwrap();
        Ok(result.into())
    }
}

/// A client whose person says yes.
#[derive(Clone, Default)]
struct Asked(Arc<AtomicUsize>);

impl ClientHandler for Asked {
    fn get_info(&self) -> ClientConfig {
        serde_json::from_value(json!({"protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {}}, "clientInfo": {"name": "peer", "version": "1"}}))
        .unwrap()
    }

    async fn create_elicitation(
        &self,
        _request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let yes = json!({"action": "accept", "content": {"answer": "approve"}});
        Ok(serde_json::from_value(yes).unwrap())
    }
}

async fn serve(versions: &'static [ProtocolVersion], json: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let tools = Tools {
        versions,
        calls: Arc::clone(&calls),
    };
    let config = StreamableHttpServerConfig::default().with_json_response(json);
    let service: StreamableHttpService<Tools, LocalSessionManager> =
        StreamableHttpService::new(move || Ok(tools.clone()), Arc::default(), config);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                let _ = connection.await;
            });
        }
    });
    (address, calls)
}

fn provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

fn params(tool: &str, args: &Value) -> CallToolRequestParams {
    serde_json::from_value(json!({"name": tool, "arguments": args})).unwrap()
}

fn newer() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover {
        preferred_versions: NEW.to_vec(),
    }
}

/// A list, a call that is approved, one that is rejected, and one that the client's person approves.
async fn walk(relay: &Relayed, lifecycle: ClientLifecycleMode) {
    let transport = StreamableHttpClientTransport::from_uri(relay.url());
    let person = Asked::default();
    let client = person.clone();
    let client = client
        .serve_with_lifecycle(transport, lifecycle)
        .await
        .unwrap();
    let listed = client.list_all_tools().await.unwrap();
    let mut names: Vec<&str> = listed.iter().map(|tool| &*tool.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["crm.lookup", "email.send", "ticket.update"]);
    let text = |result: &CallToolResult| serde_json::to_value(&result.content).unwrap().to_string();
    let found = client
        .call_tool(params("crm.lookup", &lookup()))
        .await
        .unwrap();
    assert!(text(&found).contains("crm.lookup done"), "{found:?}");
    let refused = params("email.send", &mail("jane@former.example"));
    let refused = client.call_tool(refused).await.unwrap();
    assert_eq!(refused.is_error, Some(true));
    assert!(text(&refused).contains("Ledger entry"), "{refused:?}");
    let ticket = json!({"ticket": "4821", "status": "solved"});
    let done = client
        .call_tool(params("ticket.update", &ticket))
        .await
        .unwrap();
    assert!(text(&done).contains("ticket.update done"), "{done:?}");
    assert_eq!(person.0.load(Ordering::SeqCst), 1);
    client.cancel().await.unwrap();
}

fn between(versions: &'static [ProtocolVersion], json: bool, lifecycle: ClientLifecycleMode) {
    provider();
    let world = World::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (address, calls) = runtime.block_on(serve(versions, json));
    let relay = world.relay_with(&format!("http://{address}/mcp"), |_| {});
    runtime.block_on(walk(&relay, lifecycle));
    drop(relay);
    assert_eq!(
        world.outcomes(),
        ["approved", "rejected", "escalated", "approved"]
    );
    assert_eq!(world.phases(), ["finished", "started", "finished"]);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    runtime.shutdown_background();
}

#[test]
fn an_older_client_and_a_server_with_sessions() {
    between(BOTH, false, ClientLifecycleMode::Initialize);
}

#[test]
fn a_newer_client_and_a_stateless_server() {
    between(BOTH, false, newer());
}

#[test]
fn a_newer_client_and_a_stateless_server_that_answers_in_json() {
    between(NEW, true, newer());
}

#[test]
fn an_older_client_and_a_server_that_is_only_stateless() {
    between(NEW, false, ClientLifecycleMode::Initialize);
}

#[test]
fn a_newer_client_and_a_server_that_has_only_sessions() {
    between(OLD, false, newer());
}
