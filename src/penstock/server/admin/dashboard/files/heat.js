// The heat map: a column for each second, a row for each half octave of duration, brighter for more requests. The
// scale of brightness is logarithmic, so that the one slow request among a thousand is seen.

let heatEdges = [];
const STOPS = 5;

function heatColours() {
  const stops = Array.from({length: STOPS}, (_, at) => colour("heat" + at).match(/[\d.]+/g).slice(0, 3).map(Number));
  return share => {
    const at = Math.min(share, .9999) * (STOPS - 1), index = Math.floor(at), part = at - index;
    return `rgb(${stops[index].map((value, k) => Math.round(value + (stops[index + 1][k] - value) * part)).join()})`;
  };
}

// Where a duration in ms lies, counted in rows from the quickest.
function rowOf(ms) {
  const at = heatEdges.findIndex(edge => edge > ms);
  if (at < 1) return at < 0 ? heatEdges.length : 0;
  return at + (ms - heatEdges[at - 1]) / (heatEdges[at] - heatEdges[at - 1]);
}

const cells = heat => heat.reduce((found, value, at) => at % 2 ? found : [...found, [value, heat[at + 1]]], []);
const heatSpan = row => (row ? millis(heatEdges[row - 1]) : "0") + " to " + (row < heatEdges.length ? millis(heatEdges[row]) : "∞");

new Chart("heat", chart => {
  let least = Infinity, most = -1, highest = 1;
  for (const each of chart.points) {
    for (const [row, count] of cells(each.heat)) {
      least = Math.min(least, row);
      most = Math.max(most, row);
      highest = Math.max(highest, count);
    }
  }
  if (most < 0) [least, most] = [8, 19];
  least = Math.max(0, Math.floor(least / 4) * 4);
  most = Math.max(least + 11, Math.ceil((most + 1) / 4) * 4 - 1);
  const size = (chart.base - EDGE.top) / (most - least + 1), top = row => chart.base - (row - least + 1) * size;
  chart.rowAt = y => least + Math.floor((chart.base - y) / size);
  for (let decade = -1; decade < 5; decade++) {
    const at = rowOf(10 ** decade);
    if (at >= least && at <= most + 1) chart.drawLevel(chart.base - (at - least) * size, decadeName(decade));
  }
  const paint = heatColours(), scale = Math.log1p(highest);
  chart.points.forEach((each, at) => {
    const before = chart.points[at - 1];
    const from = before && each.t - before.t < 2.5 ? before.t : each.t - 1;
    const x = Math.max(EDGE.left, Math.round(chart.x(from))), width = Math.max(1, Math.round(chart.x(each.t)) - x);
    for (const [row, count] of cells(each.heat)) {
      chart.pen.fillStyle = paint(Math.log1p(count) / scale);
      chart.pen.fillRect(x, top(row), width, Math.max(1, size - .5));
    }
  });
}, (each, chart) => {
  const found = cells(each.heat), total = found.reduce((sum, [, count]) => sum + count, 0);
  if (chart.pointerY == null || !chart.rowAt) return [[plural(total, "request"), ""]];
  const row = Math.max(0, Math.min(chart.rowAt(chart.pointerY), heatEdges.length));
  const count = (found.find(([at]) => at === row) || [0, 0])[1];
  return [[heatSpan(row), ""], [`${whole(count)} of ${plural(total, "request")}`, ""]];
});
