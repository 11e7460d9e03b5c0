// An OpenAPI document, asked: its operations, what a $ref means, where it is served, what an operation needs.

export const METHODS = ["get", "post", "put", "patch", "delete", "options", "head", "trace"]

export class Api {
  constructor(document, url, root) {
    this.document = document
    this.url = url
    this.schemes = Object.fromEntries(
      Object.entries(document.components?.securitySchemes ?? {}).map(([name, scheme]) => [name, this.resolve(scheme)]),
    )
    // A document without `servers` describes what it is served with, whatever prefix a proxy has put before that.
    const listed = document.servers?.length ? document.servers : [{ url: root.pathname }]
    this.servers = listed.map(server => serverUrl(server, url))
  }

  // Follow references; what stands beside one goes before what it names.
  resolve(node) {
    for (let depth = 0; node && typeof node === "object" && typeof node.$ref === "string" && depth < 50; depth++) {
      const { $ref, ...beside } = node
      const target = this.find($ref)
      node = target && typeof target === "object" ? { ...target, ...beside } : { description: `unknown reference ${$ref}` }
    }
    return node
  }

  find(reference) {
    if (!reference.startsWith("#")) return undefined
    const names = reference.slice(1).split("/").slice(1)
    return names.reduce((node, name) => node?.[decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~")], this.document)
  }

  // Operations in the order of the document, webhooks last.
  operations() {
    const found = []
    for (const [source, isWebhook] of [[this.document.paths, false], [this.document.webhooks, true]]) {
      for (const [path, item] of Object.entries(source ?? {})) {
        const resolved = this.resolve(item)
        for (const method of METHODS) {
          if (!resolved[method]) continue
          const operation = resolved[method]
          const own = (operation.parameters ?? []).map(one => this.resolve(one))
          const shared = (resolved.parameters ?? []).map(one => this.resolve(one))
          const parameters = [...shared.filter(one => !own.some(other => other.name === one.name && other.in === one.in)), ...own]
          const id = operation.operationId ?? `${method}${path.replace(/[^A-Za-z0-9]+/g, "-")}`
          found.push({ id, method, path, operation, parameters, isWebhook })
        }
      }
    }
    return found
  }

  // Operations by tag: those the document lists first, in its order; those without a tag under "" when there is no other.
  groups() {
    const groups = new Map((this.document.tags ?? []).map(tag => [tag.name, { name: tag.name, tag, members: [] }]))
    for (const member of this.operations()) {
      const names = member.isWebhook ? ["Webhooks"] : member.operation.tags?.length ? member.operation.tags : [""]
      for (const name of names) {
        if (!groups.has(name)) groups.set(name, { name, tag: {}, members: [] })
        groups.get(name).members.push(member)
      }
    }
    const untagged = groups.get("")
    if (untagged && groups.size > 1) untagged.name = "Other"
    return [...groups.values()].filter(group => group.members.length)
  }

  // Lists of alternatives, each {scheme: scopes}; empty when anybody may.
  security(operation) {
    return operation.security ?? this.document.security ?? []
  }
}

function serverUrl(server, base) {
  const filled = server.url.replace(/\{([^}]+)\}/g, (_, name) => server.variables?.[name]?.default ?? "")
  return new URL(filled, base).href.replace(/\/$/, "")
}
