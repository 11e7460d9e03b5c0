// Elements of text and of other elements. Nothing here makes markup of a string.

const byId = id => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setClass(element, name) {
  if (element.className !== name) element.className = name;
}

function setAttribute(element, name, value) {
  if (value == null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// Colours of the style sheet as a canvas takes them; they change with the theme.
const probe = make("span", {hidden: ""});
const kept = new Map();
function colour(name) {
  let found = kept.get(name);
  if (!found) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(--${name})`;
    kept.set(name, found = getComputedStyle(probe).color);
  }
  return found;
}
