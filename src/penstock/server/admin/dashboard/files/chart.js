// Charts over time on canvases, drawn once a second and when somebody points at them. They share their time axis
// and their cursor. Numbers at the cursor, or the newest, stand above each chart and not in a box that moves.

const EDGE = {left: 50, right: 6, top: 8, bottom: 20};
const charts = [];
const view = {points: [], events: [], end: 0, cursor: null};

class Chart {
  // `draw(chart)` draws the data, `read(point, chart)` gives the words above: [text, colour or ""].
  constructor(name, draw, read) {
    this.canvas = byId(name + "-chart");
    this.readout = byId(name + "-read");
    this.draw = draw;
    this.read = read;
    this.pointerY = null;
    charts.push(this);
    this.canvas.addEventListener("pointermove", event => {
      const box = this.canvas.getBoundingClientRect();
      this.pointerY = event.clientY - box.top;
      point(this.timeOf(event.clientX - box.left));
    });
    this.canvas.addEventListener("pointerleave", () => this.release());
    this.canvas.addEventListener("blur", () => this.release());
    this.canvas.addEventListener("keydown", event => this.onKey(event));
  }

  release() {
    this.pointerY = null;
    point(null);
  }

  onKey(event) {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (step) point(Math.min(view.end, (view.cursor ?? view.end) + step));
    else if (event.key === "Escape") this.release();
    else return;
    event.preventDefault();
  }

  get span() { return innerWidth < 700 ? 120 : 300; }
  x(time) { return EDGE.left + (time - view.end + this.span) / this.span * this.inner; }
  timeOf(x) { return view.end - this.span + (x - EDGE.left) / this.inner * this.span; }

  paint() {
    const box = this.canvas.getBoundingClientRect(), ratio = devicePixelRatio || 1;
    if (!box.width) return;
    this.width = box.width;
    this.height = box.height;
    this.inner = box.width - EDGE.left - EDGE.right;
    this.base = box.height - EDGE.bottom;
    const wide = Math.round(box.width * ratio), high = Math.round(box.height * ratio);
    if (this.canvas.width !== wide || this.canvas.height !== high) Object.assign(this.canvas, {width: wide, height: high});
    const pen = this.pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, box.width, box.height);
    pen.font = "11px system-ui, sans-serif";
    this.points = view.points.filter(each => each.t > view.end - this.span && each.t <= view.end + 1);
    this.drawTimes();
    this.draw(this);
    this.drawEvents();
    this.drawCursor();
    this.tell();
  }

  drawTimes() {
    const {pen} = this, every = 60;
    pen.fillStyle = colour("dim");
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    for (let time = Math.ceil((view.end - this.span) / every) * every; time <= view.end; time += every) {
      const x = this.x(time);
      if (x > EDGE.left + 20 && x < this.width - 24) pen.fillText(clock(time).slice(0, 5), x, this.height - 5);
    }
  }

  // A line across, with its label at the left.
  drawLevel(y, label) {
    const {pen} = this, at = Math.round(y) + .5;
    pen.strokeStyle = colour("faint");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(EDGE.left, at);
    pen.lineTo(this.width - EDGE.right, at);
    pen.stroke();
    pen.fillStyle = colour("dim");
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    pen.fillText(label, EDGE.left - 7, at);
  }

  drawEvents() {
    for (const event of view.events) {
      if (!["killed", "stuck"].includes(event.kind) || event.time < view.end - this.span) continue;
      const x = Math.round(this.x(event.time));
      this.pen.fillStyle = colour("bad");
      this.pen.fillRect(x, EDGE.top, 1, this.base - EDGE.top);
      this.pen.fillRect(x - 2, this.base - 2, 5, 4);
    }
  }

  drawCursor() {
    if (view.cursor == null) return;
    const x = Math.round(this.x(view.cursor));
    if (x < EDGE.left || x > this.width) return;
    this.pen.globalAlpha = .5;
    this.pen.fillStyle = colour("text");
    this.pen.fillRect(x, EDGE.top, 1, this.base - EDGE.top);
    this.pen.globalAlpha = 1;
  }

  tell() {
    const shown = view.cursor == null ? view.points.at(-1) : nearest(view.cursor);
    const words = shown ? [[clock(shown.t), ""], ...this.read(shown, this)] : [];
    while (this.readout.children.length > words.length) this.readout.lastChild.remove();
    words.forEach(([text, name], at) => {
      const word = this.readout.children[at] || this.readout.appendChild(make("span"));
      setText(word, text);
      setClass(word, name ? "key" : "");
      if (name) word.style.setProperty("--of", `var(--${name})`);
    });
    setAttribute(this.canvas, "aria-description", words.map(([text]) => text).join(", "));
  }
}

function nearest(time) {
  let best = null;
  for (const each of view.points) if (!best || Math.abs(each.t - time) < Math.abs(best.t - time)) best = each;
  return best && Math.abs(best.t - time) < 2 ? best : null;
}

function point(time) {
  view.cursor = time;
  repaint();
}

let isDue = false;
function repaint() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    for (const chart of charts) chart.paint();
  });
}

function niceAbove(value) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find(step => step * unit >= value) * unit;
}

const CLASSES = [["2xx", 1, "fine"], ["3xx", 2, "moved"], ["1xx", 0, "max"], ["4xx", 3, "warn"], ["5xx", 4, "bad"]];

new Chart("rate", chart => {
  const top = niceAbove(Math.max(10, ...chart.points.map(each => each.rate)));
  const high = chart.base - EDGE.top;
  for (const share of [0, .5, 1]) chart.drawLevel(chart.base - share * high, compact(share * top));
  chart.points.forEach((each, at) => {
    const before = chart.points[at - 1];
    const from = before && each.t - before.t < 2.5 ? before.t : each.t - 1;
    const x = Math.max(EDGE.left, Math.round(chart.x(from))), width = Math.round(chart.x(each.t)) - x;
    const sum = each.classes.reduce((a, b) => a + b, 0);
    let y = chart.base;
    for (const [, index, name] of CLASSES) {
      const count = sum ? each.classes[index] / sum * each.rate : index === 1 ? each.rate : 0;
      if (!count) continue;
      const size = Math.max(name === "bad" ? 2 : .5, count / top * high);
      chart.pen.fillStyle = colour(name);
      chart.pen.fillRect(x, y - size, width, size);
      y -= size;
    }
  });
}, each => [[compact(each.rate) + "/s", ""],
  ...CLASSES.filter(([, index]) => index !== 0 || each.classes[0]).map(([label, index, name]) => [label + " " + whole(each.classes[index]), name])]);

const decadeName = decade => millis(10 ** decade).replace(".0", "");  // of milliseconds
const LINES = [["max", "max"], ["p99", "p99"], ["p90", "p90"], ["p50", "p50"]];

new Chart("latency", chart => {
  let low = Infinity, high = 0;
  for (const each of chart.points) {
    if (each.p50) low = Math.min(low, each.p50);
    high = Math.max(high, each.max || 0);
  }
  let from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high));
  if (!(high > 0)) [from, to] = [0, 3];
  if (to - from < 2) to = from + 2;
  const y = value => chart.base - (Math.log10(value) - from) / (to - from) * (chart.base - EDGE.top);
  for (let decade = from; decade <= to; decade++) chart.drawLevel(y(10 ** decade), decadeName(decade));
  const {pen} = chart;
  pen.lineJoin = "round";
  for (const [key, name] of LINES) {
    pen.strokeStyle = colour(name);
    pen.lineWidth = key === "max" ? 1 : 1.6;
    pen.beginPath();
    let last = null;
    for (const each of chart.points) {
      if (each[key] == null) continue;
      const x = chart.x(each.t), at = y(each[key]);
      if (last == null || each.t - last > 2.5) {
        pen.moveTo(x - 1.5, at);
      }
      pen.lineTo(x, at);
      last = each.t;
    }
    pen.stroke();
  }
}, each => LINES.map(([key, name]) => [key + " " + millis(each[key]), name]).reverse());
