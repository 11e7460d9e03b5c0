// Prints what a stream of events brings, by fetch, until `count` events came; then it leaves.
const [url, count] = process.argv.slice(2)
const stop = new AbortController()
const reply = await fetch(url, { signal: stop.signal, headers: { "Last-Event-ID": "2" } })
console.log(reply.status, reply.headers.get("content-type"))
let text = ""
for await (const piece of reply.body.pipeThrough(new TextDecoderStream())) {
  text += piece
  if (text.split("\n\n").length > Number(count)) break
}
console.log(text.trim())
stop.abort()
