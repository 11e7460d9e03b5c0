// A conversation by Node's own WebSocket: prints what it saw as JSON.
const socket = new WebSocket(process.argv[2], ["chat", "echo"]);
socket.binaryType = "arraybuffer";
const seen = [];
const words = ["hällo", "x".repeat(70000), new Uint8Array([0, 255, 1])];
socket.onopen = () => socket.send(words[0]);
socket.onerror = (event) => seen.push(["error", String(event.message)]);
socket.onmessage = (event) => {
  seen.push(typeof event.data === "string" ? ["text", event.data.length] : ["binary", [...new Uint8Array(event.data)]]);
  if (seen.length < words.length) socket.send(words[seen.length]);
  else socket.close(4001, "done");
};
socket.onclose = (event) =>
  console.log(JSON.stringify({ seen, protocol: socket.protocol, extensions: socket.extensions, code: event.code, clean: event.wasClean }));
