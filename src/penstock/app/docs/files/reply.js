// Sends what a form made and shows what comes back, while it comes: a stream of events is seen event by event.

import { h } from "./dom.js"
import { isJSON } from "./form.js"

const SHOWN_CHARACTERS = 500_000

// The same request as a command; what was entered to be authorised is not shown to whoever looks on.
export function curl({ url, method, headers, body, cookies, secrets }) {
  const hidden = text => secrets.flatMap(one => [one, encodeURIComponent(one)]).reduce((shown, one) => shown.replaceAll(one, "***"), text)
  const quote = text => `'${hidden(String(text)).replaceAll("'", `'\\''`)}'`
  const words = ["curl", ...(method === "GET" ? [] : ["-X", method]), quote(url)]
  for (const [name, value] of headers) words.push("-H", quote(`${name}: ${value}`))
  if (cookies.length) words.push("-b", quote(cookies.map(pair => pair.join("=")).join("; ")))
  if (body instanceof FormData) for (const [name, value] of body) words.push("-F", quote(`${name}=${value instanceof File ? `@${value.name}` : value}`))
  else if (body instanceof URLSearchParams) words.push("-d", quote(body))
  else if (body instanceof File) words.push("--data-binary", quote(`@${body.name}`))
  else if (body !== undefined) words.push("-d", quote(body))
  return words.join(" ")
}

// Send, and show into `place`; `signal` stops it.
export async function send(request, place, signal) {
  const begin = performance.now()
  const status = h("p", { class: "status", role: "status" }, "…")
  const fields = h("pre", { class: "fields" })
  const content = h("div", { class: "content" })
  place.replaceChildren(
    h("pre", { class: "curl" }, curl(request)), status, content, h("details", {}, h("summary", {}, "Fields of the reply"), fields))
  try {
    for (const [name, value] of request.cookies) document.cookie = `${name}=${value}; path=/; max-age=60; samesite=strict`
    const { url, method, headers, body } = request
    const reply = await fetch(url, { method, headers, body, signal, credentials: "same-origin" })
    const say = () => { status.textContent = `${reply.status} ${reply.statusText} · ${Math.round(performance.now() - begin)} ms` }
    say()
    status.dataset.kind = reply.ok ? "good" : "bad"
    fields.textContent = [...reply.headers].map(pair => pair.join(": ")).join("\n")
    await show(reply, content)
    say()
  } catch (error) {
    if (signal.aborted) {
      status.textContent += " · stopped"
      return
    }
    status.dataset.kind = "bad"
    status.textContent = `No reply: ${error.message}. The browser's console says more; another origin must allow this one (CORS).`
  }
}

async function show(reply, place) {
  const type = (reply.headers.get("content-type") ?? "").toLowerCase()
  const isText = !type || type.startsWith("text/") || isJSON(type) || /xml|javascript|yaml|x-www-form/.test(type)
  if (!isText) return showFile(await reply.blob(), type, place)
  const pre = h("pre", { tabindex: 0, "aria-label": "content of the reply" })
  place.replaceChildren(pre)
  let text = ""
  if (reply.body) {
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader()
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      text += piece.value
      if (text.length > SHOWN_CHARACTERS) {
        await reader.cancel()
        pre.textContent = `${text.slice(0, SHOWN_CHARACTERS)}\n… the rest is not shown`
        return
      }
      pre.textContent = text
    }
  }
  if (isJSON(type)) {
    try { pre.textContent = JSON.stringify(JSON.parse(text), null, 2) } catch { /* shown as it came */ }
  }
}

function showFile(blob, type, place) {
  const address = URL.createObjectURL(blob)
  const link = h("a", { href: address, download: "content" }, `${blob.size} octets of ${type}`)
  place.replaceChildren(type.startsWith("image/") ? h("img", { src: address, alt: "the reply" }) : h("p", {}, link))
}
