// A table that is brought up to date in place: rows keep their elements, so a selection, the focus and what was
// opened stay while figures change. A column is {title, show, number, wide, sort, kind}; `show` gives a text, or
// [text, class]; `below` the words of a second line, each a text or [text, class]. `detail` gives what a row shows
// when it is opened.

class Table {
  constructor(id, {caption, columns, key, empty, detail, order}) {
    Object.assign(this, {columns, key, detail, order});
    this.rows = new Map();
    this.opened = new Set();
    this.head = make("tr", {}, ...columns.map(column => this.makeHead(column)));
    this.body = make("tbody");
    this.table = make("table", {}, make("caption", {}, caption), make("thead", {}, this.head), this.body);
    this.empty = make("p", {class: "empty"}, empty);
    byId(id).append(this.table, this.empty);
    this.last = [];
    this.mark();
  }

  makeHead(column) {
    const attributes = {scope: "col", class: classOf({...column, kind: ""})};
    if (!column.sort) return make("th", attributes, make("span", {}, column.title));
    const button = make("button", {type: "button"}, column.title);
    button.addEventListener("click", () => {
      const [current, sign] = this.order;
      this.order = [column, current === column ? -sign : -1];
      this.mark();
      this.update(this.last);
    });
    return make("th", attributes, button);
  }

  mark() {
    this.columns.forEach((column, at) => {
      const is = this.order && this.order[0] === column;
      setAttribute(this.head.children[at], "aria-sort", is ? this.order[1] < 0 ? "descending" : "ascending" : null);
    });
  }

  update(rows) {
    this.last = rows;
    this.table.hidden = !rows.length;
    this.empty.hidden = rows.length > 0;
    if (this.order) {
      const [{sort}, sign] = this.order;
      rows = [...rows].sort((a, b) => {
        const x = sort(a), y = sort(b);
        return sign * (x < y ? -1 : x > y ? 1 : 0);
      });
    }
    const left = new Set(this.rows.keys());
    let place = this.body.firstChild;
    for (const row of rows) {
      const key = this.key(row);
      left.delete(key);
      let line = this.rows.get(key);
      if (!line) this.rows.set(key, line = this.makeRow(key));
      this.fill(line, row, key);
      if (line !== place) this.body.insertBefore(line, place);
      else place = place.nextSibling;
    }
    for (const key of left) {
      this.rows.get(key).remove();
      this.rows.delete(key);
      this.opened.delete(key);
    }
  }

  makeRow(key) {
    const line = make("tr", {}, ...this.columns.map(column => make("td", {class: classOf(column)})));
    line.addEventListener("click", event => {
      if (!event.target.closest(".open")) return;
      if (!this.opened.delete(key)) this.opened.add(key);
      this.update(this.last);
    });
    return line;
  }

  fill(line, row, key) {
    this.columns.forEach((column, at) => {
      const cell = line.children[at], shown = column.show(row);
      const [text, extra] = Array.isArray(shown) ? shown : [shown, ""];
      setClass(cell, classOf(column, extra));
      if (column.bar) drawBar(cell, text, column.bar(row));
      else if (column.below) this.fillTwo(cell, text, column.below(row), this.detail && this.detail(row), key);
      else setText(cell, text);
    });
  }

  // Two lines, and the detail where there is one: its button is the first line.
  fillTwo(cell, text, words, detail, key) {
    if (!cell.firstChild) {
      const button = make("button", {type: "button", class: "open code"});
      cell.append(button, make("span", {class: "code"}), make("div", {class: "below"}), make("pre"));
    }
    const [button, plain, below, pre] = cell.children, isOpen = Boolean(detail) && this.opened.has(key);
    button.hidden = !detail;
    plain.hidden = Boolean(detail);
    setText(detail ? button : plain, text);
    setAttribute(button, "aria-expanded", isOpen);
    fillWords(below, words);
    pre.hidden = !isOpen;
    setText(pre, isOpen ? detail : "");
  }
}

function fillWords(place, words) {
  while (place.children.length > words.length) place.lastChild.remove();
  words.forEach((word, at) => {
    const [text, name] = Array.isArray(word) ? word : [word, ""];
    const span = place.children[at] || place.appendChild(make("span"));
    setText(span, text);
    setClass(span, name);
  });
}

function classOf(column, extra = "") {
  return [column.number && "number", column.wide && "wide-only", column.kind, extra].filter(Boolean).join(" ");
}

function drawBar(cell, text, share) {
  let [label, bar] = cell.children;
  if (!label) cell.replaceChildren(label = make("span"), bar = make("i"));
  setText(label, text);
  bar.style.width = `calc(${(100 * share).toFixed(1)}% - 12px)`;
}
