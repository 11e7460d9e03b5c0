// Scalar on our document, with the fonts that are here already.

import { fetchDocument } from "./document.js"

const place = document.querySelector("#ui")
const content = await fetchDocument(place)
place.replaceChildren()
document.title = content.info.title
Scalar.createApiReference(place, {
  content,
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: "never",
  agent: { disabled: true },
  mcp: { disabled: true },
})
