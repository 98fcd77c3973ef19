"""A Messages API that says what a script tells it to, for the real client without a network.

The script is a JSON file: a list of steps, one for each answer of the model. The step is the number
of tool results that the conversation holds. A step is {"tools": [{"name", "input"}]} or
{"text": "..."}, and may begin with {"run": [["command", "argument"]]}: commands that are carried out
before the answer, so that something can happen between two calls. A subagent's conversation has a
script of its own, found by a word of its first message.

What the client sent is written to the log, one JSON object a line.
"""

import json
import pathlib
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "claude-scripted"
USAGE = {"input_tokens": 1, "output_tokens": 1}


def blocks_of(message):
    content = message.get("content")
    return content if isinstance(content, list) else []


def results(body):
    """The tool results that the conversation holds, in order."""
    return [
        block
        for message in body.get("messages", [])
        for block in blocks_of(message)
        if block.get("type") == "tool_result"
    ]


def script_for(server, body):
    """The script of a conversation."""
    first = json.dumps(body.get("messages", [])[:1])
    found = (script for word, script in server.subagents.items() if word in first)
    return next(found, server.script)


def text_of(result):
    content = result.get("content")
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or [])


def events(message_id, blocks, stop_reason):
    """One answer as the events of a stream."""
    message = {"id": message_id, "type": "message", "role": "assistant", "model": MODEL}
    message |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": USAGE}
    yield {"type": "message_start", "message": message}
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            start, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, **what):
        with self.server.log.open("a") as log:
            log.write(json.dumps(what) + "\n")

    def answer(self, status, body, content_type="application/json"):
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.note(method=self.command, path=self.path)
        error = {"type": "error", "error": {"type": "not_found_error", "message": "not found"}}
        self.answer(404, json.dumps(error).encode())

    do_HEAD = do_GET

    def do_POST(self):
        length = int(self.headers.get("content-length", "0"))
        body = json.loads(self.rfile.read(length) or b"{}")
        path = self.path.split("?")[0]
        if path == "/v1/messages/count_tokens":
            return self.answer(200, b'{"input_tokens": 1}')
        if path != "/v1/messages":
            return self.do_GET()
        seen = results(body)
        # Only the conversation itself has tools; other requests are about titles and the like.
        step, name = {"text": "ok"}, "toolu"
        if body.get("tools"):
            script = script_for(self.server, body)
            # No two calls of a session have one id.
            name += "" if script is self.server.script else "_sub"
            step = script[min(len(seen), len(script) - 1)]
            self.note(
                step=len(seen),
                main=script is self.server.script,
                results=[
                    {"id": r.get("tool_use_id"), "is_error": bool(r.get("is_error")), "text": text_of(r)}
                    for r in seen
                ],
            )
        for command in step.get("run", []):
            subprocess.run(command, check=True)
        if "tools" in step:
            stop, blocks = "tool_use", [
                {"type": "tool_use", "id": f"{name}_{len(seen):02}_{n}", **tool}
                for n, tool in enumerate(step["tools"])
            ]
        else:
            stop, blocks = "end_turn", [{"type": "text", "text": step["text"]}]
        message_id = f"msg_{len(seen):04}"
        if body.get("stream"):
            stream = events(message_id, blocks, stop)
            lines = [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in stream]
            self.answer(200, "".join(lines).encode(), "text/event-stream")
        else:
            message = {"id": message_id, "type": "message", "role": "assistant", "model": MODEL}
            message |= {"content": blocks, "stop_reason": stop, "stop_sequence": None, "usage": USAGE}
            self.answer(200, json.dumps(message).encode())


def serve(script, log, subagents=None):
    """Begins to answer on a free port of loopback; the server, whose address is `server_address`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.script, server.log = script, pathlib.Path(log)
    server.subagents = subagents or {}
    return server


if __name__ == "__main__":
    api = serve(json.loads(pathlib.Path(sys.argv[1]).read_text()), sys.argv[2])
    print(f"http://127.0.0.1:{api.server_address[1]}", flush=True)
    api.serve_forever()
