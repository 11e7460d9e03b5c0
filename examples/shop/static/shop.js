// News, as they come. The browser connects again by itself, and says which it saw last.
const list = document.querySelector("#news")
if (list) {
  const source = new EventSource("/live")
  source.addEventListener("news", event => {
    const line = document.createElement("li")
    line.textContent = event.data
    list.prepend(line)
  })
  addEventListener("pagehide", () => source.close())
}
