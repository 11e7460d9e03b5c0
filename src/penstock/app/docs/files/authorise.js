// Who is asking: what a person enters for each security scheme, kept in this page's memory and nowhere else.

import { h, markdown } from "./dom.js"

export class Authority {
  constructor(api) {
    this.api = api
    this.held = new Map() // scheme name -> text that is sent
    this.listeners = []
  }

  // Hold a credential, or none when it is empty.
  hold(name, value) {
    if (value) this.held.set(name, value)
    else this.held.delete(name)
    for (const listener of this.listeners) listener()
  }

  // [place, name, value] of what an operation needs: the first alternative for which everything is held.
  credentials(operation) {
    const alternatives = this.api.security(operation)
    const chosen = alternatives.find(needs => Object.keys(needs).length && Object.keys(needs).every(name => this.held.has(name)))
    return Object.keys(chosen ?? {}).map(name => this.sent(name))
  }

  sent(name) {
    const scheme = this.api.schemes[name] ?? {}
    const value = this.held.get(name)
    if (scheme.type === "apiKey") return [scheme.in, scheme.name, value]
    const isBasic = scheme.type === "http" && scheme.scheme?.toLowerCase() === "basic"
    return ["header", "Authorization", `${isBasic ? "Basic" : "Bearer"} ${value}`]
  }

  // The dialog; null when the document names no scheme.
  dialog() {
    const names = Object.keys(this.api.schemes)
    if (!names.length) return null
    const dialog = h("dialog", { class: "authorise", "aria-label": "Authorise" },
      names.map(name => this.part(name, this.api.schemes[name])),
      h("p", { class: "buttons" }, h("button", { type: "button", class: "close", onclick: () => dialog.close() }, "Close")))
    return dialog
  }

  part(name, scheme) {
    const note = h("p", { class: "note", role: "status" })
    const fields = fieldsOf(scheme)
    const inputs = fields.map(([key, label, type]) => h("input", { name: key, type, "aria-label": `${name}: ${label}`, placeholder: label, autocomplete: "off" }))
    const submit = async event => {
      event.preventDefault()
      const values = Object.fromEntries(inputs.map(input => [input.name, input.value]))
      try {
        this.hold(name, await this.credential(scheme, values))
        note.textContent = this.held.has(name) ? "Held until this page is left." : "Nothing entered."
        note.dataset.kind = "good"
      } catch (error) {
        note.textContent = error.message
        note.dataset.kind = "bad"
      }
    }
    const forget = () => {
      this.hold(name, "")
      inputs.forEach(input => { input.value = "" })
      note.textContent = "Forgotten."
    }
    return h("form", { "data-scheme": name, onsubmit: submit },
      h("h3", {}, name, " ", h("small", {}, kindOf(scheme))), markdown(scheme.description), inputs,
      h("p", { class: "buttons" }, h("button", {}, "Authorise"), h("button", { type: "button", onclick: forget }, "Forget")), note)
  }

  async credential(scheme, values) {
    if (scheme.type === "http" && scheme.scheme?.toLowerCase() === "basic") {
      if (!values.user) return ""
      const octets = new TextEncoder().encode(`${values.user}:${values.password}`)
      return btoa(String.fromCharCode(...octets))
    }
    const [kind, flow] = tokenFlow(scheme)
    return flow && !values.token ? this.fetchToken(kind, flow, values) : values.token.trim()
  }

  // RFC 6749 §4.3 and §4.4.
  async fetchToken(kind, flow, values) {
    const form = new URLSearchParams({ scope: Object.keys(flow.scopes ?? {}).join(" ") })
    if (kind === "password") {
      form.set("grant_type", "password")
      form.set("username", values.user)
      form.set("password", values.password)
    } else {
      form.set("grant_type", "client_credentials")
      form.set("client_id", values.user)
      form.set("client_secret", values.password)
    }
    const reply = await fetch(new URL(flow.tokenUrl, `${this.api.servers[0]}/`), { method: "POST", body: form, headers: { Accept: "application/json" }, credentials: "same-origin" })
    const told = await reply.json().catch(() => ({}))
    if (!reply.ok || !told.access_token) throw new Error(told.error_description ?? told.detail ?? told.error ?? `The token endpoint answered ${reply.status}.`)
    return told.access_token
  }
}

function tokenFlow(scheme) {
  if (scheme.type !== "oauth2") return []
  const flows = scheme.flows ?? {}
  return flows.password ? ["password", flows.password] : flows.clientCredentials ? ["clientCredentials", flows.clientCredentials] : []
}

function fieldsOf(scheme) {
  const [kind] = tokenFlow(scheme)
  if (kind === "password") return [["user", "user name", "text"], ["password", "password", "password"], ["token", "or a token", "password"]]
  if (kind) return [["user", "client id", "text"], ["password", "client secret", "password"], ["token", "or a token", "password"]]
  if (scheme.type === "http" && scheme.scheme?.toLowerCase() === "basic") return [["user", "user name", "text"], ["password", "password", "password"]]
  return [["token", scheme.type === "apiKey" ? scheme.name : "token", "password"]]
}

function kindOf(scheme) {
  if (scheme.type === "apiKey") return `API key in ${scheme.in} ${scheme.name}`
  if (scheme.type === "http") return `${scheme.scheme}${scheme.bearerFormat ? ` (${scheme.bearerFormat})` : ""}`
  return scheme.type === "oauth2" ? `OAuth 2, ${Object.keys(scheme.flows ?? {}).join(", ")}` : scheme.type ?? ""
}
