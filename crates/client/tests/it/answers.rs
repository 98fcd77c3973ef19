use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_client::{Client, ClientError, Options, ServerUrl, Token, Unreachable};

/// Answers one request with these bytes; what was asked comes back when it is joined.
fn once(answer: impl Into<Vec<u8>>) -> (ServerUrl, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let answer = answer.into();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let asked = head_of(&mut stream);
        // Whoever asked may have hung up.
        let _ = stream.write_all(&answer);
        asked
    });
    (url, served)
}

fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.extend(byte);
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

fn client(url: ServerUrl) -> Client {
    let options = Options {
        request_timeout: Duration::from_secs(5),
        ..Options::default()
    };
    Client::new(url, options)
        .unwrap()
        .with_token(Token::new("cs_secret"))
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[test]
fn a_problem_document_is_the_error() {
    let problem = r#"{"type":"https://countersign.dev/errors/rate-limited","title":"too many requests","status":429,
        "detail":"slower","code":"rate-limited","request_id":"01R","entry_id":"01E"}"#;
    let headers = "content-type: application/problem+json\r\nretry-after: 7\r\n";
    let (url, served) = once(answer("429 Too Many Requests", headers, problem));
    let error = client(url).flags().unwrap_err();
    assert_eq!(error.code(), Some("rate-limited"));
    assert!(error.is_retryable());
    assert_eq!(error.problem().unwrap().entry_id.as_deref(), Some("01E"));
    assert_eq!(error.to_string(), "slower (rate-limited)");
    assert_eq!(error.hint().unwrap(), "ask again in 7 s");
    assert!(
        served
            .join()
            .unwrap()
            .contains("authorization: bearer cs_secret")
    );
}

#[test]
fn a_redirect_is_not_followed_with_the_token() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!(
        "location: http://{}/v1/flags\r\n",
        elsewhere.local_addr().unwrap()
    );
    let (url, served) = once(answer("307 Temporary Redirect", &location, ""));
    let error = client(url).flags().unwrap_err();
    assert!(
        matches!(error, ClientError::NotThisApi { status: 307, .. }),
        "{error}"
    );
    served.join().unwrap();
    assert!(elsewhere.accept().is_err());
}

#[test]
fn what_is_no_document_of_this_api_is_said_to_be_none() {
    for (status, kind, body) in [
        ("200 OK", "text/html", "<html>hello</html>"),
        ("200 OK", "application/json", "{\"flags\": 1}"),
        ("404 Not Found", "text/html", "<html>no</html>"),
        (
            "500 Internal Server Error",
            "application/problem+json",
            "{}",
        ),
    ] {
        let (url, served) = once(answer(status, &format!("content-type: {kind}\r\n"), body));
        let error = client(url).flags().unwrap_err();
        assert!(
            matches!(error, ClientError::NotThisApi { .. }),
            "{status}: {error}"
        );
        assert!(!error.is_retryable());
        served.join().unwrap();
    }
}

#[test]
fn an_answer_without_end_is_cut_off() {
    // It says that it is 1 TiB long; as much as is needed to pass the limit is sent.
    let mut endless = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1099511627776\r\n\r\n".to_vec();
    endless.resize(endless.len() + 40 * 1024 * 1024, b' ');
    let (url, served) = once(endless);
    let error = client(url).flags().unwrap_err();
    assert!(
        matches!(error, ClientError::AnswerTooLong { .. }),
        "{error}"
    );
    served.join().unwrap();
}

#[test]
fn a_broken_or_silent_server_leaves_it_open_whether_the_request_was_carried_out() {
    let (url, served) = once("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{");
    let error = client(url).flags().unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }), "{error}");
    assert!(!error.is_retryable());
    served.join().unwrap();

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url: ServerUrl = format!("http://{}", silent.local_addr().unwrap())
        .parse()
        .unwrap();
    let options = Options {
        request_timeout: Duration::from_millis(100),
        ..Options::default()
    };
    let error = Client::new(url, options).unwrap().flags().unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(error.hint().unwrap().contains("idempotency key"));
}

#[test]
fn nobody_there_is_said_and_may_be_tried_again() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = client(format!("http://{address}").parse().unwrap())
        .flags()
        .unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Unreachable {
                cause: Unreachable::Refused,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.is_retryable());
    assert!(error.hint().unwrap().contains("countersign serve"));
}

#[test]
fn a_token_that_does_not_fit_a_header_is_not_sent() {
    let (url, _served) = once("");
    let error = client(url)
        .with_token(Token::new("cs_a\r\nx: 1"))
        .flags()
        .unwrap_err();
    assert!(matches!(error, ClientError::Request(_)), "{error}");
    assert!(!error.to_string().contains("cs_a"));
}

#[test]
fn segments_cannot_leave_their_place_in_the_path() {
    let (url, served) = once(answer("200 OK", "", "{}"));
    let _ = client(url).entry("../credentials?x=1#y/é");
    let asked = served.join().unwrap();
    assert!(
        asked.starts_with("get /v1/entries/..%2fcredentials%3fx%3d1%23y%2f%c3%a9 http/1.1"),
        "{asked}"
    );
}

#[test]
fn a_post_without_a_body_says_so() {
    let (url, served) = once(answer("200 OK", "", "{\"entry\": {}}"));
    client(url).revoke_turn("sha256:a").unwrap();
    assert!(served.join().unwrap().contains("content-length: 0"));
}

#[test]
fn a_file_is_read_from_any_server_and_cut_at_its_limit() {
    let body = "x".repeat(100);
    let (url, served) = once(answer("200 OK", "", &body));
    let file = client(url).file("tile/0/000", 40).unwrap().unwrap();
    assert_eq!(file, b"x".repeat(40));
    assert!(served.join().unwrap().starts_with("get /tile/0/000 "));
    let (url, _served) = once(answer("404 Not Found", "", "no such thing"));
    assert_eq!(client(url).file("checkpoint", 40).unwrap(), None);
    let (url, _served) = once(answer("301 Moved", "location: http://127.0.0.1:1/\r\n", ""));
    let error = client(url).file_patiently("checkpoint", 40).unwrap_err();
    assert!(
        matches!(error, ClientError::Status { status: 301, .. }),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("not followed"));
}

#[test]
fn a_file_is_asked_for_again_where_that_may_help() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url: ServerUrl = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let served = std::thread::spawn(move || {
        let busy = answer("503 Service Unavailable", "retry-after: 0\r\n", "");
        for reply in [String::new(), busy, answer("200 OK", "", "here")] {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = head_of(&mut stream);
            stream.write_all(reply.as_bytes()).unwrap();
        }
    });
    let file = client(url).file_patiently("tile/0/000", 40).unwrap();
    assert_eq!(file.unwrap(), b"here");
    served.join().unwrap();
}
