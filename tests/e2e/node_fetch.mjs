// Node's fetch: reads a job as JSON from stdin, writes the answers as JSON to stdout.
import { readFileSync } from "node:fs";

const job = JSON.parse(readFileSync(0, "utf8"));

async function send(ask) {
  const content = ask.content === null ? undefined : Buffer.from(ask.content, "base64");
  const options = { method: ask.method, headers: ask.headers, redirect: ask.follows ? "follow" : "manual" };
  if (content !== undefined && ask.is_chunked) {
    options.body = new ReadableStream({
      start(controller) {
        for (let at = 0; at < content.length; at += 10000) controller.enqueue(content.subarray(at, at + 10000));
        controller.close();
      },
    });
    options.duplex = "half";
  } else {
    options.body = content && new Blob([content]); // a Blob can be sent again after a redirect
  }
  const reply = await fetch(job.url + ask.path, options);
  const received = Buffer.from(await reply.arrayBuffer());
  return { status: reply.status, headers: Object.fromEntries(reply.headers), content: received.toString("base64") };
}

const answers = [];
if (job.parallel) answers.push(...(await Promise.all(job.asks.map(send))));
else for (const ask of job.asks) answers.push(await send(ask));
process.stdout.write(JSON.stringify(answers));
