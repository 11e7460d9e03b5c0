// What a look says, into the tiles and tables.

const routeName = row => row.route || "(no route)";
const slowest = {rows: 1};
const slowness = row => Math.log10(Math.max(row.p99_ms, .01) * 100) / Math.log10(Math.max(slowest.p99, .02) * 100);

const routeColumns = [
  {title: "Route", kind: "flex code", sort: routeName, show: row => row.method + " " + routeName(row)},
  {title: "Requests", number: true, wide: true, sort: row => row.count, show: row => whole(row.count)},
  {title: "Rate", number: true, sort: row => row.rate_per_s, show: row => compact(row.rate_per_s) + "/s"},
  {title: "p50", number: true, wide: true, sort: row => row.p50_ms, show: row => millis(row.p50_ms)},
  {title: "p99", number: true, kind: "bar", sort: row => row.p99_ms, show: row => millis(row.p99_ms), bar: slowness},
  {title: "max", number: true, wide: true, sort: row => row.max_ms, show: row => millis(row.max_ms)},
  {title: "5xx", number: true, sort: row => row.errors, show: row => [whole(row.errors), row.errors ? "bad" : "dim"]},
];
const routes = new Table("routes", {
  caption: "Routes of the last minute", columns: routeColumns, key: row => row.method + " " + row.route,
  empty: "No request in the last minute.", order: [routeColumns[4], -1],
});

const placeOf = row => [...new Set([row.phase, row.runs])].filter(Boolean).join(", ") || NONE;
const requests = new Table("requests", {
  caption: "Requests in flight", empty: "No request is in flight.",
  key: row => [row.worker, row.trace_id, row.line].join(" "), detail: row => row.stack,
  columns: [
    {title: "Age", number: true, show: row => [age(row.age_seconds), row.age_seconds >= 30 ? "bad" : row.age_seconds >= 5 ? "warn" : ""]},
    {title: "Request", kind: "flex", show: row => row.line.replace(/ HTTP\/[\d.]+$/, ""), below: row => [
      "worker " + row.worker, ...row.trace_id ? ["trace", [row.trace_id, "code id"]] : []]},
    {title: "At", show: placeOf},
  ],
});

const errors = new Table("errors", {
  caption: "The last errors", empty: "No error so far.",
  key: row => row.worker + " " + row.number,
  columns: [
    {title: "At", show: row => clock(row.time)},
    {title: "Status", number: true, show: row => [String(row.status), "bad"]},
    {title: "Request", kind: "flex", show: row => row.method + " " + row.path, below: row => [
      ...row.error_type ? [[row.error_type, "name"]] : [], "worker " + row.worker, "trace", [row.trace_id, "code id"]]},
  ],
});

const SILENT_S = 2.5;
function stateOf(row) {
  if (row.state === "stuck") return ["stuck, loop still for " + age(row.loop_still_seconds), "bad"];
  if (row.figures_age_seconds > SILENT_S) return ["silent for " + age(row.figures_age_seconds), "bad"];
  if (row.loop_still_seconds > SILENT_S) return ["loop still for " + age(row.loop_still_seconds), "bad"];
  return [row.state, row.state === "ready" ? "" : "warn"];
}
const lag = row => row.loop && row.loop.lag_seconds != null ? millis(row.loop.lag_seconds * 1000) : NONE;
const workers = new Table("workers", {
  caption: "Workers", empty: "No worker.", key: row => String(row.pid),
  columns: [
    {title: "Slot", number: true, show: row => String(row.slot)},
    {title: "Process", number: true, show: row => String(row.pid)},
    {title: "State", show: stateOf},
    {title: "Up", wide: true, show: row => age(row.uptime_seconds)},
    {title: "Begun", number: true, show: row => compact(row.rate_per_s) + "/s"},
    {title: "In flight", number: true, show: row => whole(row.requests_in_flight)},
    {title: "Conns", number: true, wide: true, show: row => whole(row.connections)},
    {title: "Threads", number: true, wide: true, show: row => `${row.thread_pool.active_workers} of ${row.thread_pool.total_workers}`},
    {title: "Lag", number: true, wide: true, show: lag},
    {title: "RSS", number: true, show: row => bytes(row.rss_bytes)},
    {title: "Replaced", number: true, wide: true, show: row => [String(row.replaced), row.replaced ? "warn" : "dim"]},
  ],
});

const KINDS = {
  started: ["worker started", ""], ended: ["worker ended, as told", ""], killed: ["worker died", "bad"],
  stuck: ["loop stands still", "bad"], moving: ["loop moves again", ""], ok: ["serving", ""],
  starting: ["starting", "warn"], draining: ["draining", "warn"],
};
const events = new Table("events", {
  caption: "What happened to workers", empty: "Nothing so far.",
  key: row => [row.time, row.kind, row.pid].join(" "),
  columns: [
    {title: "At", show: row => clock(row.time)},
    {title: "What", kind: "flex", show: row => KINDS[row.kind] || [row.kind, ""]},
    {title: "Slot", number: true, show: row => row.slot == null ? NONE : String(row.slot)},
    {title: "Process", number: true, show: row => row.pid == null ? NONE : String(row.pid)},
  ],
});

const quantiles = LINES.map(([name]) => name).reverse().map(name => {
  const label = make("p", {class: "key sub"}, name), now = make("p", {class: "big"}, NONE), minute = make("p", {class: "sub"}, " ");
  label.style.setProperty("--of", `var(--${name})`);
  byId("quantiles").append(make("dt", {}, name), make("dd", {}, now, label, minute));
  return {name, now, minute};
});

function showTiles(look, points) {
  const {latency, thread_pool: pool, stores} = look, last = points.filter(each => each.t > look.time - 60);
  const answered = last.reduce((sum, each) => sum + each.classes.reduce((a, b) => a + b, 0), 0);
  const failed = last.reduce((sum, each) => sum + each.classes[4], 0);
  setText(byId("rate"), compact(look.rate_per_s));
  setText(byId("rate-sub"), compact(look.requests_total) + " in all");
  for (const {name, now, minute} of quantiles) {
    setText(now, millis(latency && latency.recent[name + "_ms"]));
    setText(minute, latency ? "60 s " + millis(latency.minute[name + "_ms"]) : "not measured");
  }
  setText(byId("failed"), whole(failed));
  setText(byId("failed-sub"), answered ? `${(100 * failed / answered).toFixed(failed ? 2 : 0)} % of ${compact(answered)}` : "no requests");
  setClass(byId("errors-tile"), failed ? "tile bad" : "tile");
  setText(byId("flight"), whole(look.requests_in_flight));
  setText(byId("flight-sub"), look.oldest_request_seconds == null ? "none waits" : "oldest " + age(look.oldest_request_seconds));
  setClass(byId("flight-tile"), look.oldest_request_seconds >= 10 ? "tile warn" : "tile");
  setText(byId("threads"), `${pool.active_workers} of ${pool.total_workers}`);
  setText(byId("threads-sub"), stores.lost ? "a store is lost" : pool.queue_depth ? plural(pool.queue_depth, "request") + " waiting" : "busy, none waiting");
  setText(byId("connections"), whole(look.connections));
  setText(byId("connections-sub"), bytes(look.rss_bytes) + " memory");
}

function showTables(look) {
  const rows = look.routes || [];
  slowest.p99 = Math.max(...rows.map(row => row.p99_ms), 0);
  routes.update(rows);
  requests.update(look.requests);
  errors.update(look.errors);
  workers.update(look.workers);
  events.update(look.events);
}
