// Swagger UI on our document: what it may do is asked of this origin, and no validator of others is shown.

import { fetchDocument } from "./document.js"

const spec = await fetchDocument(document.querySelector("#ui"))
document.title = spec.info.title
const dark = matchMedia("(prefers-color-scheme: dark)")
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches)
dark.addEventListener("change", follow)
follow()
window.ui = SwaggerUIBundle({
  spec,
  dom_id: "#ui",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
})
