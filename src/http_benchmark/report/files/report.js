// Draws each chart of the report where its figure stands, in the colours the reader prefers, light on paper.
"use strict";
(() => {
  const LIGHT = {ink: "#1f2328", faint: "#59636e", grid: "#dfe3e8", card: "#ffffff"};
  const DARK = {ink: "#e6edf3", faint: "#9aa4b0", grid: "#30363d", card: "#161b22"};
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = [];

  const axis = (given, colours) => ({
    ...given,
    title: {...given.title, font: {color: colours.faint, size: 12}, standoff: 8},
    gridcolor: colours.grid,
    linecolor: colours.grid,
    zerolinecolor: colours.grid,
    tickfont: {color: colours.faint, size: 12},
  });

  const PAPER = 680;  // pixels that fit on A4 and Letter; printing itself does not resize a chart

  const layout = (chart, colours, width) => ({
    ...chart.layout,
    xaxis: axis(chart.layout.xaxis, colours),
    yaxis: axis(chart.layout.yaxis, colours),
    paper_bgcolor: colours.card,
    plot_bgcolor: colours.card,
    font: {family: "system-ui, sans-serif", color: colours.ink, size: 13},
    legend: {orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: {color: colours.ink}},
    hovermode: "closest",
    hoverlabel: {bgcolor: colours.card, bordercolor: colours.faint, font: {color: colours.ink}},
    margin: {l: 56, r: 16, t: 8, b: 44},
    bargap: 0.3,
    barmode: "overlay",
    ...(width ? {width, autosize: false} : {autosize: true}),
  });

  const data = (chart, colours) => chart.data.map((trace) => ({
    ...trace,
    ...(trace.error_y ? {error_y: {...trace.error_y, color: colours.ink}} : {}),
    ...(trace.mode === "markers" ? {marker: {...trace.marker, line: {width: 1, color: colours.card}}} : {}),
  }));

  const draw = (colours, width) => {
    for (const [node, chart] of drawn) {
      Plotly.react(node, data(chart, colours), layout(chart, colours, width), {
        responsive: true,
        displaylogo: false,
        displayModeBar: false,
        doubleClick: "reset",
      });
    }
  };

  const preferred = () => (prefersDark.matches ? DARK : LIGHT);
  for (const node of document.querySelectorAll("[data-chart]")) {
    node.replaceChildren();
    drawn.push([node, charts[node.dataset.chart]]);
  }
  draw(preferred());
  prefersDark.addEventListener("change", () => draw(preferred()));
  addEventListener("beforeprint", () => draw(LIGHT, PAPER));
  addEventListener("afterprint", () => draw(preferred()));
  document.documentElement.dataset.drawn = drawn.length;
})();
