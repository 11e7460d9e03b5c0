// ReDoc on our document.

import { init } from "../ui/redoc.js"
import { fetchDocument } from "./document.js"

const place = document.querySelector("#ui")
const spec = await fetchDocument(place)
document.title = spec.info.title
init(spec, { hideLogo: true, disableTelemetry: true }, place)
