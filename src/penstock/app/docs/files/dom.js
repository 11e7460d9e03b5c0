// Elements, and the part of CommonMark that descriptions use. Text becomes text nodes and never markup, so that
// nothing a document says can run.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? "" : value)
  }
  element.append(...children.flat(Infinity).filter(child => child || child === 0))
  return element
}

// Show `children` when it is opened, and make them only then: a document may be large, or never end.
export function fold(attributes, summary, make) {
  const details = h("details", attributes, h("summary", {}, summary))
  const open = () => {
    if (!details.open) return
    details.removeEventListener("toggle", open)
    details.append(...[make()].flat(Infinity).filter(Boolean))
  }
  details.addEventListener("toggle", open)
  return details
}

export function markdown(text) {
  if (!text) return null
  const blocks = []
  const parts = String(text).split(/^```.*\n([\s\S]*?)^```[ \t]*$/m)
  parts.forEach((part, index) => {
    if (index % 2) blocks.push(h("pre", {}, h("code", {}, part)))
    else for (const block of part.split(/\n[ \t]*\n/)) if (block.trim()) blocks.push(asBlock(block.trim()))
  })
  return h("div", { class: "text" }, blocks)
}

function asBlock(block) {
  const lines = block.split("\n")
  const heading = /^(#{1,6}) +(.*)$/.exec(block)
  if (heading) return h("p", {}, h("strong", {}, inline(heading[2])))
  for (const [tag, mark] of [["ul", /^\s*[-*+] +/], ["ol", /^\s*\d+[.)] +/]]) {
    if (!mark.test(block)) continue
    const items = []
    for (const line of lines) {
      if (mark.test(line) || !items.length) items.push(line.replace(mark, ""))
      else items[items.length - 1] += " " + line.trim()
    }
    return h(tag, {}, items.map(item => h("li", {}, inline(item))))
  }
  return h("p", {}, inline(block))
}

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\((https?:[^)\s]+)\)|(https?:\/\/[^\s<>)]*[^\s<>).,;])/g

function inline(text) {
  const found = []
  let end = 0
  for (const match of text.matchAll(INLINE)) {
    found.push(text.slice(end, match.index))
    end = match.index + match[0].length
    const [, code, strong, em, label, target, bare] = match
    if (code) found.push(h("code", {}, code))
    else if (strong) found.push(h("strong", {}, strong))
    else if (em) found.push(h("em", {}, em))
    else found.push(h("a", { href: target || bare, rel: "noreferrer noopener", target: "_blank" }, label || bare))
  }
  return [...found, text.slice(end)]
}
