// The form of an operation, and the request it makes. Serialisation is that of OpenAPI's parameter styles.

import { h } from "./dom.js"
import { example } from "./schema.js"

const UNTOUCHED = ""

export class Form {
  constructor(api, member) {
    this.api = api
    this.member = member
    this.fields = new Map(member.parameters.map(parameter => [parameter, fieldFor(api, parameter, member.id)]))
    this.body = api.resolve(member.operation.requestBody)
    this.types = Object.keys(this.body?.content ?? {})
    this.type = this.types[0]
    this.holder = h("div", { class: "body" })
    this.fillBody()
  }

  fillBody() {
    const media = this.type ? this.body.content[this.type] : undefined
    this.parts = null
    this.control = null
    if (!media) return
    const schema = this.api.resolve(media.schema) ?? {}
    if (isForm(this.type)) {
      this.parts = partsOf(this.api, schema, this.type, this.member.id)
      this.holder.replaceChildren(...this.parts.map(part => h("label", { class: "field" }, h("code", {}, part.name), part.control)))
    } else if (isJSON(this.type) || this.type.startsWith("text/")) {
      const sample = exampleOf(this.api, media)
      const text = isJSON(this.type) ? JSON.stringify(sample ?? null, null, 2) : String(sample ?? "")
      this.control = h("textarea", { rows: Math.min(text.split("\n").length + 1, 20), "aria-label": "content", spellcheck: "false" })
      this.control.value = text
      this.holder.replaceChildren(this.control)
    } else {
      this.control = h("input", { type: "file", "aria-label": "content" })
      this.holder.replaceChildren(this.control)
    }
  }

  chooseType(type) {
    this.type = type
    this.fillBody()
  }

  // What `fetch` takes; throws an Error that says what is missing.
  request(server, credentials) {
    const headers = new Headers({ Accept: accepted(this.api, this.member.operation) })
    const query = []
    const cookies = []
    let path = this.member.path
    for (const [parameter, control] of this.fields) {
      const value = read(control)
      if (value === UNTOUCHED) {
        if (parameter.required) throw new Error(`${parameter.name} is required`)
        continue
      }
      if (parameter.in === "path") path = path.replaceAll(`{${parameter.name}}`, list(value).map(encodeURIComponent).join(","))
      else if (parameter.in === "query") query.push(...queryOf(parameter, value))
      else if (parameter.in === "header") headers.set(parameter.name, list(value).join(","))
      else if (parameter.in === "cookie") cookies.push([parameter.name, String(value)])
    }
    for (const [place, name, value] of credentials) {
      if (place === "header") headers.set(name, value)
      else if (place === "query") query.push([name, value])
      else cookies.push([name, value])
    }
    const search = query.map(pair => pair.map(encodeURIComponent).join("=")).join("&")
    const body = this.content(headers)
    return { url: server + path + (search && `?${search}`), method: this.member.method.toUpperCase(), headers, body, cookies, secrets: credentials.map(([, , value]) => value) }
  }

  content(headers) {
    if (this.parts) {
      const isMultipart = this.type.startsWith("multipart/")
      const data = isMultipart ? new FormData() : new URLSearchParams()
      for (const part of this.parts) {
        const values = part.control.type === "file" ? [...part.control.files] : list(read(part.control)).filter(value => value !== UNTOUCHED)
        if (part.required && !values.length) throw new Error(`${part.name} is required`)
        for (const value of values) data.append(part.name, typeof value === "object" && !(value instanceof File) ? JSON.stringify(value) : value)
      }
      return data // the browser names its type, with the boundary
    }
    if (!this.control) return undefined
    if (this.control.type === "file") {
      headers.set("Content-Type", this.type)
      return this.control.files[0]
    }
    if (!this.control.value && !this.body.required) return undefined
    headers.set("Content-Type", this.type)
    return this.control.value
  }
}

function fieldFor(api, parameter, id) {
  const schema = api.resolve(parameter.schema ?? Object.values(parameter.content ?? {})[0]?.schema) ?? {}
  const sample = parameter.example ?? Object.values(parameter.examples ?? {}).map(one => api.resolve(one)?.value)[0]
  const control = controlFor(api, schema, `${id}-${parameter.in}-${parameter.name}`)
  const known = sample ?? (parameter.required ? example(api, schema) : undefined)
  if (known !== undefined && known !== null) write(control, known)
  return control
}

function partsOf(api, schema, type, id) {
  const required = new Set(schema.required ?? [])
  return Object.entries(schema.properties ?? {}).map(([name, inner]) => {
    const one = api.resolve(inner)
    const item = api.resolve(one.items)
    const isFile = type.startsWith("multipart/") && [one, item].some(each => each && (each.format === "binary" || each.contentMediaType || each.type === undefined && !each.anyOf && !each.oneOf && !each.enum))
    const control = isFile ? h("input", { type: "file", multiple: one.type === "array" }) : controlFor(api, one, `${id}-part-${name}`)
    if (!isFile && required.has(name)) write(control, example(api, one))
    return { name, control, required: required.has(name) }
  })
}

// One control for a value: a choice, a text, or lines for a list.
function controlFor(api, schema, id) {
  const union = (schema.anyOf ?? schema.oneOf)?.map(one => api.resolve(one)).find(one => one.type !== "null")
  const core = union ? { ...union, ...schema, type: union.type, anyOf: undefined, oneOf: undefined } : schema
  const type = [core.type].flat().find(one => one !== "null")
  const choices = core.enum ?? union?.enum ?? (type === "boolean" ? [true, false] : null)
  let control
  if (choices) {
    control = h("select", {}, h("option", { value: "" }, "—"), choices.map(value => h("option", { value: String(value) }, String(value))))
  } else if (type === "array" || type === "object") {
    control = h("textarea", { rows: 3, placeholder: type === "array" ? "one value a line" : "JSON", spellcheck: "false" })
    control.dataset.kind = type
  } else {
    const numeric = type === "integer" ? "numeric" : type === "number" ? "decimal" : null
    control = h("input", { type: core.format === "password" ? "password" : "text", inputmode: numeric, autocomplete: "off", spellcheck: "false" })
  }
  control.id = id
  return control
}

function write(control, value) {
  if (control.dataset.kind === "array") control.value = [value].flat().map(one => (typeof one === "object" ? JSON.stringify(one) : one)).join("\n")
  else control.value = typeof value === "object" ? JSON.stringify(value) : String(value)
}

// A text, a list of texts, or an object; UNTOUCHED when nothing was put in.
function read(control) {
  const text = control.value
  if (text === "") return UNTOUCHED
  if (control.dataset.kind === "array") return text.split("\n").filter(line => line !== "")
  if (control.dataset.kind === "object") {
    try { return JSON.parse(text) } catch { throw new Error(`${text.slice(0, 40)} is no JSON`) }
  }
  return text
}

function list(value) {
  return Array.isArray(value) ? value : [typeof value === "object" ? Object.entries(value).flat().join(",") : value]
}

function queryOf(parameter, value) {
  const { name, style = "form", explode = style === "form" } = parameter
  if (parameter.content) return [[name, JSON.stringify(value)]]
  if (Array.isArray(value)) {
    const separator = { spaceDelimited: " ", pipeDelimited: "|" }[style] ?? ","
    return explode ? value.map(one => [name, one]) : [[name, value.join(separator)]]
  }
  if (typeof value !== "object") return [[name, value]]
  if (style === "deepObject") return Object.entries(value).map(([key, one]) => [`${name}[${key}]`, one])
  return explode ? Object.entries(value) : [[name, Object.entries(value).flat().join(",")]]
}

function accepted(api, operation) {
  const types = new Set()
  for (const response of Object.values(operation.responses ?? {})) {
    for (const type of Object.keys(api.resolve(response).content ?? {})) types.add(type)
  }
  return [...types, "*/*;q=0.1"].join(", ")
}

export function exampleOf(api, media) {
  if (media.example !== undefined) return media.example
  const named = Object.values(media.examples ?? {}).map(one => api.resolve(one)?.value)[0]
  return named !== undefined ? named : example(api, media.schema)
}

export function isJSON(type) {
  return /^application\/(json|[^;]+\+json)\b/.test(type)
}

function isForm(type) {
  return type.startsWith("multipart/") || type.startsWith("application/x-www-form-urlencoded")
}
