//! The mail server as its clients meet it: in memory where the words matter, over a socket where
//! the connection does.

use super::*;
use std::io::{BufRead as _, Read as _, Write as _};

/// Everything that a client sends, and everything that it is told.
fn talk(input: impl AsRef<[u8]>) -> (Vec<String>, Vec<Message>) {
    let mailbox = Mailbox::default();
    let mut output = Vec::new();
    Session::new(input.as_ref(), &mut output, &mailbox)
        .run()
        .unwrap();
    let output = String::from_utf8(output).unwrap();
    assert!(output.ends_with("\r\n"));
    let replies = output
        .lines()
        .map(|line| line.get(..3).unwrap().to_owned())
        .collect();
    let messages = mailbox.messages.into_inner().unwrap();
    (replies, messages)
}

const ENVELOPE: &str = "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n";
/// The replies to the greeting and the envelope.
const AGREED: [&str; 7] = ["220", "250", "250", "250", "250", "250", "354"];

#[test]
fn a_pipelined_conversation_hands_over_each_message_once() {
    let second = "MAIL FROM:<>\r\nRCPT TO:<e@f.example>\r\nRCPT TO:<g@h.example>\r\nDATA\r\n";
    let input =
        format!("{ENVELOPE}Subject: 1\r\n\r\none\r\n.\r\n{second}two\r\n.\r\nQUIT\r\nNOOP\r\n");
    let (replies, messages) = talk(input);
    let after = ["250", "250", "250", "250", "354", "250", "221"];
    assert_eq!(replies, [&AGREED[..], &after[..]].concat());
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].from, "a@b.example");
    assert_eq!(messages[0].to, ["c@d.example"]);
    assert_eq!(messages[0].data, b"Subject: 1\r\n\r\none\r\n");
    assert_eq!(messages[1].from, "");
    assert_eq!(messages[1].to, ["e@f.example", "g@h.example"]);
}

#[test]
fn stuffed_dots_are_taken_off_and_end_nothing() {
    let (replies, messages) = talk(format!("{ENVELOPE}..\r\n...two\r\n.one\r\nx.\r\n.\r\n"));
    assert_eq!(replies.last().unwrap(), "250");
    assert_eq!(messages[0].data, b".\r\n..two\r\none\r\nx.\r\n");
}

#[test]
fn a_second_message_cannot_be_smuggled_behind_bare_line_ends() {
    let smuggled = "MAIL FROM:<x@y>\r\nRCPT TO:<victim@z>\r\nDATA\r\ngotcha\r\n.\r\n";
    for end in [
        "\n.\n",
        "\n.\r\n",
        "\r.\r",
        "\r\n.\n",
        "\r.\r\n",
        "\r\n.\r\r\n",
    ] {
        let (replies, messages) = talk(format!("{ENVELOPE}hello{end}{smuggled}QUIT\r\n"));
        assert_eq!(messages, [], "{end:?}");
        assert_eq!(replies.last().unwrap(), "221", "{end:?}");
        assert_eq!(replies[replies.len() - 2], "554", "{end:?}");
    }
    // Between commands, nothing that follows is obeyed.
    let (replies, _) = talk("NOOP\nMAIL FROM:<x@y>\r\nNOOP\r\n");
    assert_eq!(replies, ["220", "500"]);
}

#[test]
fn a_message_over_the_limit_is_refused_as_a_whole() {
    let line = format!("{}\r\n", "x".repeat(998));
    let fits = MESSAGE_BYTES / line.len();
    let (replies, messages) = talk(format!("{ENVELOPE}{}.\r\n", line.repeat(fits)));
    assert_eq!(
        (replies.last().unwrap().as_str(), messages.len()),
        ("250", 1)
    );
    let (replies, messages) = talk(format!("{ENVELOPE}{}.\r\nNOOP\r\n", line.repeat(fits + 1)));
    assert_eq!(replies[AGREED.len()..], ["552", "250"]);
    assert_eq!(messages, []);
    // Nobody is read for ever: the connection ends, without a message.
    let (replies, messages) = talk(format!("{ENVELOPE}{}.\r\n", line.repeat(5 * fits)));
    assert_eq!((replies.len(), messages.len()), (AGREED.len(), 0));
    // Who announces it need not send it.
    let announced = format!("EHLO c\r\nMAIL FROM:<a@b> SIZE={}\r\n", MESSAGE_BYTES + 1);
    assert_eq!(talk(announced).0.last().unwrap(), "552");
}

#[test]
fn lines_have_limits() {
    let (replies, messages) = talk(format!("{ENVELOPE}{}\r\n.\r\n", "x".repeat(1000)));
    assert_eq!(
        (replies.last().unwrap().as_str(), messages.len()),
        ("500", 0)
    );
    let (replies, _) = talk(format!("NOOP {}\r\nNOOP\r\n", "x".repeat(510)));
    assert_eq!(replies, ["220", "500", "250"]);
}

#[test]
fn commands_come_in_order() {
    for (input, reply) in [
        ("MAIL FROM:<a@b>\r\n", "503"),
        ("EHLO c\r\nRCPT TO:<a@b>\r\n", "503"),
        ("EHLO c\r\nDATA\r\n", "503"),
        ("EHLO c\r\nMAIL FROM:<a@b>\r\nDATA\r\n", "503"),
        ("EHLO c\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n", "503"),
        (
            "EHLO c\r\nMAIL FROM:<a@b>\r\nRSET\r\nRCPT TO:<c@d>\r\n",
            "503",
        ),
        (
            "EHLO c\r\nMAIL FROM:<a@b>\r\nEHLO c\r\nRCPT TO:<c@d>\r\n",
            "503",
        ),
        ("EHLO c\r\nSTARTTLS\r\n", "502"),
    ] {
        assert_eq!(talk(input).0.last().unwrap(), reply, "{input:?}");
    }
}

#[test]
fn recipients_and_messages_have_limits() {
    let many = "RCPT TO:<c@d>\r\n".repeat(RECIPIENTS + 1);
    let (replies, _) = talk(format!("EHLO c\r\nMAIL FROM:<a@b>\r\n{many}"));
    assert_eq!(replies.iter().filter(|reply| *reply == "452").count(), 1);
    let one = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n";
    let (replies, messages) = talk(format!("EHLO c\r\n{}", one.repeat(MESSAGES + 1)));
    assert_eq!(
        (replies.last().unwrap().as_str(), messages.len()),
        ("452", MESSAGES)
    );
}

#[test]
fn garbage_is_answered_and_then_hung_up_on() {
    let garbage: Vec<u8> = (0..=255).filter(|byte| !b"\r\n".contains(byte)).collect();
    let line = [&garbage[..], b"\r\n"].concat();
    let (replies, messages) = talk(line.repeat(50));
    assert_eq!(replies.len(), 1 + ERRORS + 1);
    assert_eq!(replies.last().unwrap(), "421");
    assert_eq!(messages, []);
    // A client of another protocol.
    let (replies, _) = talk("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(replies, ["220", "500", "500", "500"]);
}

#[test]
fn half_a_message_is_no_message() {
    for input in ["Subject: x\r\n", "x\r\n.", "x\r\n.\r", ""] {
        let (replies, messages) = talk(format!("{ENVELOPE}{input}"));
        assert_eq!(
            (replies.len(), messages.len()),
            (AGREED.len(), 0),
            "{input:?}"
        );
    }
}

#[test]
fn the_sink_serves_over_a_socket_and_ends() {
    let sink = Sink::start().unwrap();
    let address = sink.address();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(stream, "{ENVELOPE}hello\r\n.\r\nQUIT\r\n").unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).unwrap();
    assert!(replies.ends_with("221 goodbye\r\n"), "{replies}");
    assert_eq!(sink.messages().len(), 1);
    drop(sink);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn connections_are_limited_and_places_come_back() {
    let sink = Sink::start().unwrap();
    let greeting = |stream: &TcpStream| {
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.get(..3).unwrap().to_owned()
    };
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..CONNECTIONS {
        held.push(TcpStream::connect(sink.address()).unwrap());
        assert_eq!(greeting(held.last().unwrap()), "220");
    }
    assert_eq!(
        greeting(&TcpStream::connect(sink.address()).unwrap()),
        "421"
    );
    let mut leaving = held.pop().unwrap();
    leaving.write_all(b"QUIT\r\n").unwrap();
    let mut rest = String::new();
    leaving.read_to_string(&mut rest).unwrap();
    // The place is given back just after the connection has closed.
    let freed = (0..1_000).any(|_| {
        std::thread::yield_now();
        greeting(&TcpStream::connect(sink.address()).unwrap()) == "220"
    });
    assert!(freed);
}
