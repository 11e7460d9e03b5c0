// JSON Schema (2020-12, as OpenAPI 3.1 uses it) for people: the name of a type, its bounds, its members, an example.

import { fold, h, markdown } from "./dom.js"

const BOUNDS = [
  ["minimum", "≥"], ["exclusiveMinimum", ">"], ["maximum", "≤"], ["exclusiveMaximum", "<"], ["multipleOf", "a multiple of"],
  ["minLength", "length ≥"], ["maxLength", "length ≤"], ["pattern", "matches"],
  ["minItems", "items ≥"], ["maxItems", "items ≤"], ["minProperties", "members ≥"], ["maxProperties", "members ≤"],
]

export function typeName(api, schema, depth = 0) {
  if (schema === true || schema === undefined || depth > 4) return "any"
  if (schema === false) return "nothing"
  if (schema.$ref) return decodeURIComponent(schema.$ref.split("/").pop())
  for (const [key, word] of [["oneOf", " | "], ["anyOf", " | "], ["allOf", " & "]]) {
    if (schema[key]?.length) return [...new Set(schema[key].map(one => typeName(api, one, depth + 1)))].join(word)
  }
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  const types = [schema.type ?? guess(schema)].flat()
  return types.map(type => {
    if (type === "array" && schema.items) return `array of ${typeName(api, schema.items, depth + 1)}`
    if (type === "object" && schema.title) return schema.title
    if (type === "object" && isMap(schema)) return `map of ${typeName(api, schema.additionalProperties, depth + 1)}`
    return schema.format && type !== "null" ? `${type} (${schema.format})` : type
  }).join(" | ")
}

function guess(schema) {
  if (schema.properties || schema.additionalProperties) return "object"
  if (schema.items || schema.prefixItems) return "array"
  return schema.enum ? "enum" : "any"
}

function isMap(schema) {
  return !schema.properties && typeof schema.additionalProperties === "object"
}

// What limits a value: a list of texts.
export function bounds(schema) {
  if (!schema || typeof schema !== "object") return []
  const found = BOUNDS.filter(([key]) => schema[key] !== undefined).map(([key, sign]) => `${sign} ${schema[key]}`)
  if (schema.uniqueItems) found.push("no item twice")
  if (schema.enum) found.push(`one of ${schema.enum.map(value => JSON.stringify(value)).join(", ")}`)
  if (schema.default !== undefined) found.push(`default ${JSON.stringify(schema.default)}`)
  if (schema.readOnly) found.push("in replies only")
  if (schema.writeOnly) found.push("in requests only")
  for (const inner of [schema.anyOf, schema.oneOf].flat()) {
    if (inner && !inner.$ref) found.push(...bounds(inner).filter(text => !found.includes(text)))
  }
  return found
}

// A tree of members, of which each level is made when it is opened.
export function tree(api, schema) {
  const resolved = api.resolve(schema)
  if (!resolved || typeof resolved !== "object") return h("p", { class: "type" }, typeName(api, schema))
  const members = membersOf(api, resolved)
  const limits = bounds(resolved)
  return h("div", { class: "schema" },
    h("p", {}, h("span", { class: "type" }, typeName(api, schema)), limits.length > 0 && h("span", { class: "bounds" }, limits.join(", "))),
    schema.$ref && markdown(resolved.description),
    members.length > 0 && h("ul", { class: "members" }, members.map(member => memberOf(api, member))))
}

function memberOf(api, { name, schema, required }) {
  const resolved = api.resolve(schema)
  const line = [
    name && h("code", { class: "name" }, name),
    h("span", { class: "type" }, typeName(api, schema)),
    required && h("span", { class: "required" }, "required"),
    resolved?.deprecated && h("span", { class: "deprecated" }, "deprecated"),
    bounds(resolved).map(text => h("span", { class: "bounds" }, text)),
  ]
  const inner = membersOf(api, resolved)
  const about = markdown(resolved?.description)
  if (!inner.length) return h("li", {}, line, about)
  return h("li", {}, fold({}, line, () => h("ul", { class: "members" }, inner.map(one => memberOf(api, one)))), about)
}

// The members of an object, the items of an array, the branches of a union: [{name, schema, required}].
function membersOf(api, schema, depth = 0) {
  if (!schema || typeof schema !== "object" || depth > 8) return []
  const required = new Set(schema.required ?? [])
  const found = Object.entries(schema.properties ?? {}).map(([name, one]) => ({ name, schema: one, required: required.has(name) }))
  if (schema.additionalProperties && typeof schema.additionalProperties === "object") {
    found.push({ name: "any other name", schema: schema.additionalProperties })
  }
  for (const part of schema.allOf ?? []) found.push(...membersOf(api, api.resolve(part), depth + 1))
  ;(schema.prefixItems ?? []).forEach((one, index) => found.push({ name: `[${index}]`, schema: one }))
  if (schema.items && typeof schema.items === "object") {
    const item = api.resolve(schema.items)
    const inner = membersOf(api, item, depth + 1)
    found.push(...inner)
  }
  const branches = (schema.oneOf ?? schema.anyOf ?? []).filter(one => one.type !== "null")
  if (branches.length === 1) found.push(...membersOf(api, api.resolve(branches[0]), depth + 1))
  else for (const one of branches) if (membersOf(api, api.resolve(one), depth + 1).length) found.push({ name: "", schema: one })
  return found
}

const SAMPLES = {
  "date-time": "2030-01-31T12:00:00Z", date: "2030-01-31", time: "12:00:00", duration: "PT1H", email: "ann@example.org",
  uuid: "3fa85f64-5717-4562-b3fc-2c963f66afa6", uri: "https://example.org/", ipv4: "192.0.2.1", ipv6: "2001:db8::1", decimal: "1.5",
}

// A value that fits, as far as that can be told from a schema; the author's own example if there is one.
export function example(api, schema, above = []) {
  if (schema?.$ref && above.includes(schema.$ref)) return undefined
  const path = schema?.$ref ? [...above, schema.$ref] : above
  const resolved = api.resolve(schema)
  if (!resolved || typeof resolved !== "object" || path.length > 12) return null
  if (resolved.example !== undefined) return resolved.example
  if (resolved.examples?.length) return resolved.examples[0]
  for (const key of ["default", "const"]) if (resolved[key] !== undefined) return resolved[key]
  if (resolved.enum) return resolved.enum[0]
  if (resolved.allOf) {
    const parts = [{ ...resolved, allOf: undefined }, ...resolved.allOf].map(part => example(api, part, path))
    return parts.every(part => part && typeof part === "object") ? Object.assign({}, ...parts) : parts.find(part => part !== null) ?? null
  }
  const branches = resolved.oneOf ?? resolved.anyOf
  if (branches) return example(api, branches.find(one => one.type !== "null") ?? branches[0], path)
  const type = [resolved.type ?? guess(resolved)].flat().find(one => one !== "null")
  if (type === "object") return exampleObject(api, resolved, path)
  if (type === "array") {
    if (resolved.prefixItems) return resolved.prefixItems.map(one => example(api, one, path) ?? null)
    const item = resolved.items ? example(api, resolved.items, path) : "value"
    return item === undefined ? [] : Array(Math.min(Math.max(resolved.minItems ?? 1, 1), 5)).fill(item)
  }
  if (type === "integer" || type === "number") return exampleNumber(resolved)
  if (type === "boolean") return true
  if (type === "string" || type === "any") {
    const text = SAMPLES[resolved.format] ?? "text"
    return resolved.minLength > text.length ? text.padEnd(resolved.minLength, "x") : text.slice(0, resolved.maxLength ?? 1000)
  }
  return null
}

function exampleObject(api, schema, path) {
  const made = {}
  for (const [name, one] of Object.entries(schema.properties ?? {})) {
    if (api.resolve(one)?.readOnly) continue
    const value = example(api, one, path)
    if (value !== undefined) made[name] = value
  }
  if (isMap(schema)) made.name = example(api, schema.additionalProperties, path) ?? null
  return made
}

function exampleNumber(schema) {
  const step = schema.multipleOf ?? 1
  let value = schema.minimum ?? (schema.exclusiveMinimum !== undefined ? schema.exclusiveMinimum + step : undefined)
  value ??= schema.maximum ?? (schema.exclusiveMaximum !== undefined ? schema.exclusiveMaximum - step : step)
  return Math.ceil(value / step) * step
}
