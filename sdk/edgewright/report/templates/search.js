// How the search went: hypervolume of this and other searches, and what its surrogate was worth.

const CURVES = ["accent", "baseline", "good", "warn", "muted"];
const DASHES = ["solid", "dash", "dot", "dashdot"];

function drawSearch(data) {
  const plot = document.getElementById("search-plot");
  if (!plot) return;
  const x = data.hypervolume.map((h) => h.x);
  const hasTau = data.hypervolume.some((h) => h.tau !== null);
  const drawn = data.curves.length ? data.curves : [{ name: "hypervolume", own: true, x, hypervolume: data.hypervolume.map((h) => h.hypervolume) }];
  const curve = (c, i) => ({
    type: "scatter", mode: "lines", name: plain(c.name), x: c.x, y: c.hypervolume, yaxis: "y", showlegend: drawn.length > 1,
    line: { color: colour(CURVES[i % CURVES.length]), width: c.own ? 2.5 : 1.6, shape: "hv", dash: c.own ? "solid" : DASHES[i % DASHES.length] },
    hovertemplate: `${drawn.length > 1 ? plain(c.name) : "hypervolume"} %{y:.4~f}<extra></extra>`,
  });
  const traces = drawn.map(curve);
  if (hasTau) {
    traces.push({
      type: "scatter", mode: "lines+markers", name: "Kendall's τ", x, y: data.hypervolume.map((h) => h.tau), yaxis: "y2", showlegend: false,
      line: { color: colour("muted"), width: 1.5 }, marker: { size: 5 }, connectgaps: true, hovertemplate: "Kendall's τ %{y:.2f}<extra></extra>",
    });
  }
  Plotly.react(plot, traces, layout({
    hovermode: "x unified",
    xaxis: { title: { text: "evaluations", standoff: 8 }, anchor: hasTau ? "y2" : "y" },
    yaxis: { title: { text: "hypervolume" }, domain: hasTau ? [0.42, 1] : [0, 1] },
    ...(hasTau ? { yaxis2: { title: { text: "τ, unseen" }, domain: [0, 0.31], range: [Math.min(-0.05, ...data.hypervolume.map((h) => h.tau ?? 0)) - 0.05, 1.05] } } : {}),
  }), plotOptions("search-progress"));
}

// Each infill once, as predicted before it was evaluated; on the line the surrogate was right.
function drawSurrogate(data) {
  const plot = document.getElementById("surrogate-plot");
  if (!plot) return;
  const objective = data.objectives[0];
  const found = data.points.filter((p) => p.predicted !== null && p.values[0] !== null);
  const ends = axisRange(found.flatMap((p) => [p.predicted, p.values[0]]), null);
  const words = (p) => `<b>${plain(p.id)}</b>, iteration ${p.iteration}<br>predicted ${plain(shown(objective, p.predicted))}<br>evaluated ${plain(shown(objective, p.values[0]))}`;
  const dotted = (points, marker, extra) => ({
    type: "scatter", mode: "markers", x: points.map((p) => p.values[0]), y: points.map((p) => p.predicted), marker,
    text: points.map(words), hovertemplate: "%{text}<extra></extra>", ...extra,
  });
  const iterations = found.map((p) => p.iteration);
  const label = plain(objective.unit ? `${objective.label.toLowerCase()} (${objective.unit})` : objective.label.toLowerCase());
  Plotly.react(plot, [
    { type: "scatter", mode: "lines", x: ends, y: ends, hoverinfo: "skip", showlegend: false, line: { color: colour("dim"), width: 1.5, dash: "dot" } },
    dotted(found, {
      size: 8, color: iterations, colorscale: [[0, colour("k3")], [0.5, colour("k5")], [1, colour("k7")]], line: { color: colour("card"), width: 1 },
      colorbar: { title: { text: "iteration", side: "right" }, thickness: 10, outlinewidth: 0, tickformat: "d" },
      cmin: Math.min(...iterations), cmax: Math.max(...iterations, Math.min(...iterations) + 1), showscale: true,
    }, { showlegend: false }),
    dotted(found.filter((p) => p.finalist), { size: 14, symbol: "star-open", color: colour("baseline"), line: { width: 1.6 } }, { name: "finalist" }),
  ].filter((trace) => trace.x.length), layout({
    hovermode: "closest", showlegend: found.some((p) => p.finalist),
    xaxis: { title: { text: `evaluated ${label}`, standoff: 8 }, range: ends },
    yaxis: { title: { text: `predicted ${label}`, standoff: 8 }, range: ends },
  }), plotOptions("surrogate"));
}

// All networks in numbers: rows are made when a reader asks for them, the page stays small.
function startNumbers(data) {
  const details = document.getElementById("numbers");
  if (!details) return;
  const cell = (name, textContent, properties = {}) => element(name, { textContent, ...properties });
  details.addEventListener("toggle", () => {
    const table = details.querySelector("table");
    if (!details.open || table.rows.length) return;
    const names = ["network", "iteration", ...data.traits, "depths", ...data.objectives.map((o) => o.label), "predicted"];
    table.createTHead().append(element("tr", {}, ...names.map((name, i) => cell("th", name, { scope: "col", className: i ? "num" : "" }))));
    table.createTBody().append(...data.points.map((p) => {
      const values = [
        p.iteration ?? "–", ...p.traits.map((v) => digits(v)), p.depths.join("-") || "–",
        ...data.objectives.map((o, i) => shown(o, p.values[i])), data.objectives.length ? shown(data.objectives[0], p.predicted) : "–",
      ];
      return element("tr", {}, cell("th", p.id, { scope: "row" }), ...values.map((v) => cell("td", String(v), { className: "num" })));
    }));
  });
}
