// The front: one plot, any two objectives; one panel, any network.

function startFront(data) {
  const plot = document.getElementById("front-plot");
  if (!plot) return { draw: () => {}, choose: () => {} };
  const axes = ["axis-x", "axis-y"].map((id) => document.getElementById(id));
  const state = { chosen: null, after: lastEvaluation(data) };
  const draw = () => drawFront(plot, data, ...axes.map((a) => Number(a.value)), state);
  const choose = (index, { focus = false } = {}) => {
    state.chosen = index;
    fillPanel(data, data.points[index]);
    document.querySelectorAll("tr[data-row]").forEach((row) => row.classList.toggle("chosen", Number(row.dataset.row) === index));
    draw();
    document.documentElement.dataset.chosen = index;
    document.dispatchEvent(new CustomEvent("chosen", { detail: index }));
    if (focus) document.getElementById("panel").focus({ preventScroll: false });
  };
  axes.forEach((axis) => axis.addEventListener("change", draw));
  startTime(data, state, draw);
  draw();
  // plotly.js follows the window's size alone; the panel's height changes with the network.
  new ResizeObserver(() => Plotly.Plots.resize(plot)).observe(plot);
  plot.on("plotly_click", (event) => {
    const index = event.points[0]?.customdata;
    if (Number.isInteger(index)) choose(index);
  });
  document.querySelectorAll("button.choose").forEach((button) =>
    button.addEventListener("click", () => choose(Number(button.dataset.index), { focus: true })));
  startPicks(data, choose);
  const first = firstChoice(data);
  if (first !== null) choose(first);
  return { draw, choose };
}

// A finalist's name in the table leads to its architecture, where the search knows it.
function startPicks(data, choose) {
  document.querySelectorAll("button.pick").forEach((button) => {
    const index = data.points.findIndex((p) => p.id === button.dataset.pick && !p.baseline);
    if (index < 0) { button.replaceWith(Object.assign(document.createElement("span"), { textContent: button.textContent, className: "plain" })); return; }
    button.addEventListener("click", () => { choose(index, { focus: true }); });
  });
}

function firstChoice(data) {
  const met = data.finalists.find((f) => f.verdict === "met") ?? data.finalists[0];
  const index = data.points.findIndex((p) => p.id === met?.id && !p.baseline);
  if (index >= 0) return index;
  const front = data.points.findIndex((p) => p.front && p.feasible);
  return front >= 0 ? front : data.points.length ? 0 : null;
}

const shown = (objective, value) => (value === null ? "–" : `${digits(value, { fixed: objective.unit === "ms" })} ${objective.unit}`.trim());

function hover(data, point) {
  const lines = data.objectives.map((o, i) => `${plain(o.label)}: <b>${plain(shown(o, point.values[i]))}</b>`);
  return [`<b>${plain(point.id)}</b>`, ...lines].join("<br>");
}

function drawFront(plot, data, x, y, { chosen, after }) {
  const all = data.points.map((point, index) => ({ point, index }))
    .filter(({ point }) => point.values[x] !== null && point.values[y] !== null);
  const seen = all.filter(({ point }) => wasSeen(point, after));
  const own = seen.filter(({ point }) => !point.baseline);
  const front = own.filter(({ point }) => wasOnFront(data, point, after));
  const newest = after !== null && after < lastEvaluation(data) ? iterationAt(data, after) : null;
  const traces = [
    dots(data, own.filter(({ point }) => !point.feasible), x, y, "over a budget", { color: colour("dimmer"), size: 6, symbol: "x-thin", line: { color: colour("dim"), width: 1.4 } }),
    dots(data, own.filter(({ point }) => point.feasible && !wasOnFront(data, point, after)), x, y, "dominated", { color: colour("dim"), size: 7, opacity: 0.75 }),
    best(data, seen, x, y),
    dots(data, front, x, y, "on the front", { color: colour("accent"), size: 10, line: { color: colour("card"), width: 1.5 } }),
    dots(data, own.filter(({ point }) => newest !== null && point.iteration === newest), x, y, newest ? `iteration ${newest}` : "initial design", { color: colour("baseline"), size: 12, symbol: "circle-open", line: { width: 1.8 } }),
    dots(data, own.filter(({ point }) => point.compiled && !point.finalist), x, y, "compiled", { color: colour("accent"), size: 14, symbol: "star-open", line: { width: 1.8 } }),
    dots(data, own.filter(({ point }) => point.finalist), x, y, "finalist", { color: colour("accent"), size: 15, symbol: "star", line: { color: colour("card"), width: 1.5 } }),
    dots(data, seen.filter(({ point }) => point.baseline), x, y, "baseline", { color: colour("baseline"), size: 11, symbol: "diamond", line: { color: colour("card"), width: 1 } }),
    dots(data, seen.filter(({ index }) => index === chosen), x, y, "chosen", { color: "rgba(0,0,0,0)", size: 22, line: { color: colour("ink"), width: 2 } }, false),
  ].flatMap((trace) => inLegend(data, trace, after));
  const budgets = [[x, "x"], [y, "y"]].filter(([i, name]) => data.objectives[i].budget !== null && !(x === y && name === "y"));
  const title = (o) => ({ text: plain(o.unit && !o.label.includes(`(${o.unit})`) ? `${o.label} (${o.unit})` : o.label), standoff: 10, font: { size: plot.clientWidth < 480 ? 11 : 13 } });
  const range = (i) => axisRange(all.map(({ point }) => point.values[i]), data.objectives[i].budget);
  Plotly.react(plot, traces, layout({
    hovermode: "closest",
    margin: { l: 60, r: 18, t: 30, b: 52 },
    xaxis: { title: title(data.objectives[x]), range: range(x) },
    yaxis: { title: title(data.objectives[y]), range: range(y) },
    shapes: budgets.flatMap(([i, name]) => budgetShapes(data.objectives[i], name, range(i))),
    annotations: budgets.map(([i, name]) => budgetNote(data.objectives[i], name, range(i))),
    // Zoom survives a theme change, a click or another evaluation, but not another axis.
    uirevision: `${x}-${y}`,
  }), plotOptions("pareto-front"));
}

// While the slider is back, kinds that have no point yet keep their place in the legend: the plot stays put.
function inLegend(data, trace, after) {
  if (trace.x.length) return [trace];
  const exists = {
    "over a budget": (p) => !p.feasible, dominated: (p) => p.feasible && !p.front, "on the front": (p) => p.front,
    compiled: (p) => p.compiled && !p.finalist, finalist: (p) => p.finalist,
  }[trace.name];
  const later = after !== null && exists && data.points.some((p) => !p.baseline && exists(p));
  return later ? [{ ...trace, x: [null], y: [null], customdata: [null] }] : [];
}

function dots(data, items, x, y, name, marker, legend = true) {
  return {
    type: "scatter", mode: "markers", name, marker, showlegend: legend,
    x: items.map(({ point }) => point.values[x]),
    y: items.map(({ point }) => point.values[y]),
    customdata: items.map(({ index }) => index),
    text: items.map(({ point }) => hover(data, point)),
    hovertemplate: "%{text}<extra></extra>",
    // The ring around the chosen network must let clicks and hovers through.
    ...(legend ? {} : { hoverinfo: "skip", hovertemplate: undefined }),
  };
}

// The best feasible networks in these two objectives alone, as a staircase.
function best(data, all, x, y) {
  const sign = [x, y].map((i) => (data.objectives[i].higher ? -1 : 1));
  const cost = ({ point }) => [sign[0] * point.values[x], sign[1] * point.values[y]];
  const sorted = all.filter(({ point }) => point.feasible && !point.baseline)
    .sort((a, b) => cost(a)[0] - cost(b)[0] || cost(a)[1] - cost(b)[1]);
  const kept = [];
  let lowest = Infinity;
  for (const item of sorted) if (cost(item)[1] < lowest) { lowest = cost(item)[1]; kept.push(item); }
  return {
    type: "scatter", mode: "lines", hoverinfo: "skip", showlegend: false,
    line: { color: colour("accent"), width: 1.5, shape: "hv" }, opacity: 0.55,
    x: kept.map(({ point }) => point.values[x]), y: kept.map(({ point }) => point.values[y]),
  };
}

function axisRange(values, budget) {
  const all = budget === null ? values : [...values, budget];
  if (!all.length) return [0, 1];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

function budgetShapes(objective, axis, [low, high]) {
  const { budget, higher } = objective;
  const across = axis === "x" ? { yref: "paper", y0: 0, y1: 1 } : { xref: "paper", x0: 0, x1: 1 };
  const along = (from, to) => ({ [`${axis}0`]: from, [`${axis}1`]: to });
  // Far beyond the range, so that zooming out still shows what is out of bounds.
  const beyond = higher ? low - 10 * (high - low) : high + 10 * (high - low);
  return [
    { type: "rect", layer: "below", line: { width: 0 }, fillcolor: colour("bad"), opacity: 0.06, ...across, ...along(budget, beyond) },
    { type: "line", line: { color: colour("bad"), width: 1.5, dash: "dash" }, ...across, ...along(budget, budget) },
  ];
}

function budgetNote(objective, axis, [low, high]) {
  const left = (objective.budget - low) / (high - low) > 0.8; // beside it there is no room at the right
  const place = axis === "x"
    ? { x: objective.budget, yref: "paper", y: 0.01, xanchor: left ? "right" : "left", yanchor: "bottom", xshift: left ? -3 : 3 }
    : { y: objective.budget, xref: "paper", x: 0.99, xanchor: "right", yanchor: "bottom" };
  return { text: `budget ${plain(`${digits(objective.budget)} ${objective.unit}`.trim())}`, showarrow: false, font: { size: 12, color: colour("bad") }, ...place };
}

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function fillPanel(data, point) {
  document.getElementById("panel-title").textContent = point.id;
  const badges = element("div", { className: "badges" });
  const tag = (words, kind) => badges.append(element("span", { className: `badge ${kind}`, textContent: words }));
  if (point.baseline) tag("baseline", "open");
  else if (!point.feasible) tag("✕ over a budget", "violated");
  else tag(point.front ? "on the front" : "dominated", point.front ? "met" : "open");
  if (point.finalist) tag("finalist", "open");
  const values = element("dl", { className: "values" });
  const pair = (key, value) => values.append(element("div", {}, element("dt", { textContent: key }), element("dd", { textContent: value })));
  data.objectives.forEach((o, i) => pair(o.label, shown(o, point.values[i])));
  for (const f of data.finalists.filter((f) => f.id === point.id && !point.baseline)) {
    pair(`measured on ${f.device} (${f.precision})`, f.measured === null ? "–" : `${digits(f.measured, { fixed: true })} ms`);
  }
  if (point.iteration !== null) pair("found in iteration", point.iteration || "0 (initial design)");
  document.getElementById("panel-body").replaceChildren(badges, values, ...architecture(data, point), ...command(data, point));
}

function architecture(data, point) {
  if (!point.operators.length) return [element("p", { className: "muted", textContent: "Its architecture was not recorded." })];
  const operators = point.operators.map((i) => data.operators[i]);
  const key = element("p", { className: "key" });
  for (const k of [3, 5, 7]) key.append(element("span", {}, element("i", { className: `k${k}` }), `kernel ${k}×${k}`));
  key.append(element("span", { textContent: "length: width inside · e: expansion · se: squeeze-and-excitation · ↓: stride 2 · 14²: input pixels · ch: channels out" }));
  return [drawArchitecture(operators, point.depths), key];
}

function command(data, point) {
  if (point.baseline) return [];
  const quoted = /^[\w.@+:-]+$/.test(point.id) ? point.id : `'${point.id.replaceAll("'", "'\\''")}'`;
  const text = `edgewright compile ${data.run} --pick ${quoted} --for DEVICE`;
  const copy = element("button", { type: "button", className: "copy", textContent: "Copy" });
  copy.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); copy.textContent = "Copied"; } catch { copy.textContent = "Select it"; }
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  return [element("div", { className: "command" }, element("code", { textContent: text }), copy)];
}
