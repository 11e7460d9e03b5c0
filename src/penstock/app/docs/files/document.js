// For pages of others: fetch the document, with servers that are addresses wherever this page is.

export async function fetchDocument(place) {
  const url = new URL(place.dataset.document, location.href)
  const reply = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" })
  if (!reply.ok) {
    place.textContent = `The OpenAPI document at ${url.pathname} cannot be shown: it answered ${reply.status}.`
    throw new Error(place.textContent)
  }
  const document = await reply.json()
  const listed = document.servers?.length ? document.servers : [{ url: new URL(place.dataset.root, location.href).pathname }]
  const absolute = address => (address.includes("{") ? address : new URL(address, url).href.replace(/\/$/, ""))
  document.servers = listed.map(server => ({ ...server, url: absolute(server.url) }))
  return document
}
