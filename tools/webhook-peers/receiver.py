"""A receiver of webhooks that trusts nothing but the official verifier.

    python receiver.py SECRET

Prints its port, then one line of JSON for each request: its id and whether it verified.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

WEBHOOK = Webhook(sys.argv[1])


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        said = {"id": self.headers["webhook-id"]}
        try:
            said["payload"] = WEBHOOK.verify(body, dict(self.headers))
            said["verified"] = True
        except WebhookVerificationError as error:
            said["verified"] = False
            said["why"] = str(error)
        print(json.dumps(said), flush=True)
        self.send_response(204 if said["verified"] else 400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
