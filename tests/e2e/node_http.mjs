// Node's http module with a keep-alive agent: reads a job as JSON from stdin, writes the answers as JSON to stdout.
import { readFileSync } from "node:fs";
import http from "node:http";

const job = JSON.parse(readFileSync(0, "utf8"));
const agent = new http.Agent({ keepAlive: true });

function send(ask) {
  const content = ask.content === null ? null : Buffer.from(ask.content, "base64");
  const headers = { ...ask.headers };
  if (content !== null && !ask.is_chunked) headers["content-length"] = content.length;
  return new Promise((resolve, reject) => {
    const request = http.request(job.url + ask.path, { method: ask.method, headers, agent }, (reply) => {
      const pieces = [];
      reply.on("data", (piece) => pieces.push(piece));
      reply.on("error", reject);
      reply.on("end", () => {
        if (ask.follows && reply.headers.location) { // it follows nothing by itself
          const path = new URL(reply.headers.location, job.url + ask.path).pathname;
          resolve(send({ ...ask, path }));
          return;
        }
        const received = Buffer.concat(pieces).toString("base64");
        resolve({ status: reply.statusCode, headers: reply.headers, content: received });
      });
    });
    request.on("error", reject);
    if (content !== null && ask.is_chunked) {
      for (let at = 0; at < content.length; at += 10000) request.write(content.subarray(at, at + 10000));
      request.end();
    } else {
      request.end(content ?? undefined);
    }
  });
}

const answers = [];
if (job.parallel) answers.push(...(await Promise.all(job.asks.map(send))));
else for (const ask of job.asks) answers.push(await send(ask));
agent.destroy();
process.stdout.write(JSON.stringify(answers));
