// The page: fetches the document its element names, and shows it. `window.penstock.ready` is set when all is there.

import { Api } from "./api.js"
import { Authority } from "./authorise.js"
import { fold, h, markdown } from "./dom.js"
import { Form, exampleOf, isJSON } from "./form.js"
import { send } from "./reply.js"
import { bounds, tree, typeName } from "./schema.js"

const root = document.querySelector("main")

class Page {
  constructor(api) {
    this.api = api
    this.server = api.servers[0]
    this.authority = new Authority(api)
    this.folds = new Map()
  }

  render() {
    const { info = {}, components } = this.api.document
    document.title = info.title ?? "API"
    const dialog = this.authority.dialog()
    const lock = dialog && h("button", { type: "button", class: "authorise", onclick: () => dialog.showModal() }, "Authorise")
    if (lock) this.authority.listeners.push(() => lock.classList.toggle("held", this.authority.held.size > 0))
    const filter = h("input", { type: "search", class: "filter", placeholder: "Filter", "aria-label": "Filter operations", oninput: () => this.filter(filter.value) })
    const groups = this.api.groups()
    root.replaceChildren(
      h("header", {},
        h("h1", {}, info.title ?? "API", " ", h("small", {}, info.version)),
        info.summary && h("p", {}, info.summary), markdown(info.description),
        h("p", { class: "tools" }, this.chooser(), filter, lock, h("a", { href: this.api.url }, "OpenAPI document")), dialog),
      ...groups.map(group => this.group(group)),
      ...Object.keys(components?.schemas ?? {}).length ? [this.schemas(components.schemas)] : [],
      ...groups.length ? [] : [h("p", {}, "The document names no operation.")])
    this.follow()
    addEventListener("hashchange", () => this.follow())
  }

  chooser() {
    if (this.api.servers.length < 2) return null
    const described = this.api.document.servers
    return h("select", { "aria-label": "Server", onchange: event => { this.server = event.target.value } },
      this.api.servers.map((url, index) => h("option", { value: url }, described[index].description ? `${described[index].description} · ${url}` : url)))
  }

  group({ name, tag, members }) {
    return h("section", { class: "group" }, name && h("h2", {}, tag.summary ?? name), markdown(tag.description),
      members.map(member => this.operation(member)))
  }

  operation(member) {
    const { id, method, path, operation } = member
    const isLocked = this.api.security(operation).some(needs => Object.keys(needs).length)
    const summary = [
      h("span", { class: `method ${method}` }, method.toUpperCase()),
      h("code", { class: "path" }, path.split(/(?=\/)/).flatMap(part => [part, h("wbr")])),
      h("span", { class: "summary" }, operation.summary),
      operation.deprecated && h("span", { class: "deprecated" }, "deprecated"),
      isLocked && h("span", { class: "lock", title: "needs authorisation" }, "auth"),
    ]
    const details = fold({ class: `operation ${method}`, "data-operation": id }, summary, () => this.inside(member))
    details.dataset.words = [method, path, operation.summary, id, ...(operation.tags ?? [])].join(" ").toLowerCase()
    if (!this.folds.has(id)) this.folds.set(id, details)
    details.addEventListener("toggle", () => { if (details.open) history.replaceState(null, "", `#${encodeURIComponent(id)}`) })
    return details
  }

  inside(member) {
    const { operation } = member
    const form = new Form(this.api, member)
    const place = h("div", { class: "reply" })
    const types = form.types.length > 1 && h("select", { "aria-label": "Media type of the content", onchange: event => form.chooseType(event.target.value) }, form.types.map(type => h("option", {}, type)))
    return h("div", { class: "inside" },
      markdown(operation.description), this.needs(operation),
      operation.externalDocs && h("p", {}, h("a", { href: operation.externalDocs.url, rel: "noreferrer noopener" }, operation.externalDocs.description ?? "More")),
      h("form", { class: "request", onsubmit: event => { event.preventDefault(); this.submit(form, place, event.target) } },
        form.fields.size > 0 && [h("h4", {}, "Parameters"), h("div", { class: "parameters" }, [...form.fields].map(([parameter, control]) => this.parameter(parameter, control)))],
        form.type && [h("h4", {}, "Content ", types || h("small", {}, form.type)), markdown(form.body.description), form.holder,
          fold({}, "Schema", () => tree(this.api, form.body.content[form.type].schema))],
        member.isWebhook ? null : h("p", { class: "buttons" }, h("button", { class: "send" }, "Send"))),
      place, h("h4", {}, "Replies"), Object.entries(operation.responses ?? {}).map(([status, response]) => this.response(status, this.api.resolve(response))))
  }

  needs(operation) {
    const needs = this.api.security(operation).map(one => Object.entries(one).map(([name, scopes]) => (scopes.length ? `${name} (${scopes.join(", ")})` : name)).join(" and ") || "nothing")
    return needs.length > 0 && h("p", { class: "needs" }, "Needs ", needs.join(" or "), ".")
  }

  parameter(parameter, control) {
    const schema = parameter.schema ?? Object.values(parameter.content ?? {})[0]?.schema
    return h("div", { class: "field" },
      h("label", { for: control.id }, h("code", { class: "name" }, parameter.name), h("small", {}, parameter.in), h("span", { class: "type" }, typeName(this.api, schema)),
        parameter.required && h("span", { class: "required" }, "required"), parameter.deprecated && h("span", { class: "deprecated" }, "deprecated")),
      control, h("span", { class: "bounds" }, bounds(this.api.resolve(schema)).join(", ")), markdown(parameter.description))
  }

  async submit(form, place, element) {
    const button = element.querySelector("button.send")
    if (this.stop) this.stop()
    const stopper = new AbortController()
    this.stop = () => stopper.abort()
    try {
      const request = form.request(this.server, this.authority.credentials(form.member.operation))
      const stop = h("button", { type: "button", class: "stop", onclick: () => stopper.abort() }, "Stop")
      button.after(stop)
      await send(request, place, stopper.signal).finally(() => stop.remove())
    } catch (error) {
      place.replaceChildren(h("p", { class: "status", role: "status", "data-kind": "bad" }, error.message))
    }
  }

  response(status, response) {
    const kind = status[0] === "2" ? "good" : status[0] === "4" || status[0] === "5" ? "bad" : "plain"
    const content = Object.entries(response.content ?? {})
    const summary = [h("span", { class: "status", "data-kind": kind }, status), h("span", {}, response.description), content.map(([type]) => h("small", {}, type))]
    const fields = Object.entries(response.headers ?? {})
    return fold({ class: "response" }, summary, () => [
      fields.length > 0 && h("ul", { class: "members" }, fields.map(([name, field]) => h("li", {}, h("code", { class: "name" }, name), h("span", { class: "type" }, typeName(this.api, this.api.resolve(field).schema)), markdown(this.api.resolve(field).description)))),
      content.map(([type, media]) => [h("h5", {}, type), tree(this.api, media.schema ?? true), this.sample(type, media)]),
      content.length + fields.length === 0 && h("p", {}, "No content."),
    ])
  }

  sample(type, media) {
    if (!isJSON(type)) return null
    return fold({}, "Example", () => h("pre", {}, JSON.stringify(exampleOf(this.api, media) ?? null, null, 2)))
  }

  schemas(schemas) {
    return h("section", { class: "schemas" }, h("h2", {}, "Schemas"),
      Object.entries(schemas).map(([name, schema]) => fold({ class: "model", "data-schema": name }, h("code", {}, name), () => [markdown(this.api.resolve(schema)?.description), tree(this.api, schema)])))
  }

  filter(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean)
    for (const group of root.querySelectorAll("section.group")) {
      const operations = [...group.querySelectorAll("details.operation")]
      for (const one of operations) one.hidden = !words.every(word => one.dataset.words.includes(word))
      group.hidden = operations.every(one => one.hidden)
    }
  }

  // Open the operation the address names.
  follow() {
    const details = this.folds.get(decodeURIComponent(location.hash.slice(1)))
    if (!details || details.open) return
    details.open = true
    details.scrollIntoView()
  }
}

async function start() {
  const url = new URL(root.dataset.document, location.href)
  try {
    const reply = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" })
    if (!reply.ok) throw new Error(`it answered ${reply.status} ${reply.statusText}`)
    const page = new Page(new Api(await reply.json(), url, new URL(root.dataset.root, location.href)))
    page.render()
    window.penstock = { ready: true, page }
  } catch (error) {
    root.replaceChildren(h("p", { class: "failure", role: "alert" }, `The OpenAPI document at ${url.pathname} cannot be shown: ${error.message}.`))
    throw error
  }
}

start()
