// A receiver of webhooks that trusts nothing but the official verifier.
//
//   node receiver.mjs SECRET
//
// Prints its port, then one line of JSON for each request: its id and whether it verified.
import http from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.argv[2]);

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const id = request.headers["webhook-id"] ?? null;
    try {
      const payload = webhook.verify(Buffer.concat(chunks).toString("utf8"), request.headers);
      console.log(JSON.stringify({ id, verified: true, payload }));
      response.writeHead(204).end();
    } catch (error) {
      console.log(JSON.stringify({ id, verified: false, why: error.message }));
      response.writeHead(400).end();
    }
  });
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
