// The page: takes the history and then looks, shows them, and says loudly what is wrong, first of all when nothing
// comes any more.

const KEEP_S = 320, SILENCE_MS = 4000, GIVE_UP_MS = 12000, AGAIN_MS = 2000;
let source = null, lastNews = Date.now(), latest = null, isPaused = false, lost = null;

function connect() {
  if (source) source.close();
  source = new EventSource("live/events");
  source.addEventListener("history", event => {
    const told = JSON.parse(event.data), first = told.points.length ? told.points[0].t : Infinity;
    heatEdges = told.heat_edges_ms;
    view.points = view.points.filter(each => each.t < first - .5).concat(told.points);  // a new feed knows less than we
    news();
  });
  source.addEventListener("look", event => {
    latest = JSON.parse(event.data);
    const last = view.points.at(-1);
    if (!last || latest.point.t > last.t) view.points.push(latest.point);
    while (view.points[0].t < latest.time - KEEP_S) view.points.shift();
    news();
    if (!isPaused) show();
  });
  source.addEventListener("error", () => {
    const current = source;
    if (current.readyState === EventSource.CLOSED) setTimeout(() => current === source && connect(), AGAIN_MS);
    lose();
  });
}

function news() {
  lastNews = Date.now();
  if (lost == null) return;
  lost = null;
  byId("main").classList.remove("stale");
  showState();
}

function lose() {
  if (lost != null) return;
  lost = lastNews / 1000;
  byId("main").classList.add("stale");
  showState();
}

function show() {
  view.end = latest.time;
  view.events = latest.events;
  showTiles(latest, view.points);
  showTables(latest);
  showState();
  repaint();
}

const ADVICE = {
  stuck: "No worker can answer: the loop of each stands still.",
  draining: "The server is draining: it takes no new connection and ends when the last request is answered.",
  starting: "No worker is ready yet.",
  failing: "Critical checks fail in every worker, so /readyz says 503.",
  degraded: "Requests are served, but a check fails.",
};

function showState() {
  const problems = [];
  let kind = "ok", word = "serving";
  if (lost != null) {
    [kind, word] = ["bad", "connection lost"];
    problems.push(["bad", `Connection lost at ${clock(lost)}. What is shown is of then; trying again.`]);
  } else if (latest) {
    const stuck = latest.workers.filter(row => stateOf(row)[1] === "bad");
    if (latest.status !== "ok") {
      [kind, word] = [["stuck", "failing"].includes(latest.status) ? "bad" : "warn", latest.status];
      const failed = latest.failed.length ? ` Failed: ${latest.failed.join(", ")}.` : "";
      problems.push([kind, `${ADVICE[latest.status] || latest.status}${failed} Since ${clock(latest.time - latest.status_for_seconds)}.`]);
    }
    if (stuck.length && latest.status !== "stuck") {
      [kind, word] = ["bad", stuck.length + " stuck"];
      problems.push(["bad", `${stuck.length} of ${plural(latest.workers.length, "worker")} stuck, answering nobody: process ${stuck.map(row => row.pid).join(", ")}.`]);
    }
    if (latest.stores.lost) problems.push(["warn", "A store is lost; what needs it goes on without."]);
  } else [kind, word] = ["warn", "connecting"];
  const told = JSON.stringify(problems), alerts = byId("alerts");
  if (alerts.dataset.told !== told) {  // an alert is read aloud when it changes, not each second
    alerts.dataset.told = told;
    alerts.replaceChildren(...problems.map(([name, text]) => make("p", {class: "alert " + name}, text)));
  }
  setClass(byId("status"), "status " + kind);
  setText(byId("status-text"), word);
  if (!latest) return;
  const about = [latest.release && "release " + latest.release, "Penstock " + latest.version, "Python " + latest.python,
    "process " + latest.pid, "up " + age(latest.uptime_seconds),
    plural(latest.workers.length, "worker"), plural(latest.restarts, "restart")];
  setText(byId("about"), about.filter(Boolean).join(" · "));
  document.title = (kind === "ok" ? compact(latest.rate_per_s) + "/s" : word.toUpperCase()) + " · Penstock";
}

setInterval(() => {
  const silent = Date.now() - lastNews;
  if (silent > SILENCE_MS) lose();
  if (silent > GIVE_UP_MS) {
    lastNews = Date.now() - SILENCE_MS;
    connect();
  }
}, 1000);

const pause = byId("pause");
pause.addEventListener("click", () => {
  isPaused = !isPaused;
  setAttribute(pause, "aria-pressed", isPaused);
  setText(pause, isPaused ? "Paused" : "Pause");
  if (!isPaused && latest) show();
});

const THEMES = ["auto", "light", "dark"], theme = byId("theme");
function setTheme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  setText(theme, "Theme: " + name);
  kept.clear();
  repaint();
}
function storedTheme() {
  try {
    const name = localStorage.getItem("penstock-theme");
    return THEMES.includes(name) ? name : "auto";
  } catch {
    return "auto";  // storage may be forbidden
  }
}
theme.addEventListener("click", () => {
  const current = document.documentElement.dataset.theme || "auto";
  const name = THEMES[(THEMES.indexOf(current) + 1) % THEMES.length];
  try {
    localStorage.setItem("penstock-theme", name);
  } catch {}
  setTheme(name);
});
setTheme(storedTheme());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(storedTheme()));
addEventListener("resize", repaint);
connect();
