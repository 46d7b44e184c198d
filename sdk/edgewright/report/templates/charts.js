// The plots that only show: predictions and training.

const ROLES = [
  ["fit", "used for the fit", { symbol: "circle-open", size: 7 }, "dim"],
  ["validate", "unseen", { symbol: "circle", size: 8 }, "accent"],
  ["finalist", "finalist", { symbol: "star", size: 13 }, "baseline"],
];

function drawPredictions(data) {
  document.querySelectorAll("[data-prediction]").forEach((plot) => {
    const { device, points } = data.predictions[Number(plot.dataset.prediction)];
    const values = points.flatMap((p) => [p.predicted, p.measured]);
    const top = Math.max(...values, 0) * 1.08 || 1;
    const low = Math.min(...values, top) * 0.88;
    const line = (factor, extra) => ({ type: "scatter", mode: "lines", x: [0, top * 2], y: [0, top * 2 * factor], hoverinfo: "skip", showlegend: false, ...extra });
    const traces = [
      line(0.9, { line: { width: 0 } }),
      line(1.1, { line: { width: 0 }, fill: "tonexty", fillcolor: colour("accent-soft") }),
      line(1, { line: { color: colour("dim"), width: 1.5, dash: "dot" } }),
      ...ROLES.map(([role, name, marker, shade]) => {
        const chosen = points.filter((p) => p.role === role);
        return {
          type: "scatter", mode: "markers", name, marker: { ...marker, color: colour(shade) },
          x: chosen.map((p) => p.measured), y: chosen.map((p) => p.predicted),
          text: chosen.map((p) => `<b>${plain(p.id)}</b><br>measured ${digits(p.measured, { fixed: true })} ms<br>predicted ${digits(p.predicted, { fixed: true })} ms (${p.predicted >= p.measured ? "+" : "−"}${Math.abs((p.predicted / p.measured - 1) * 100).toFixed(1)} %)`),
          hovertemplate: "%{text}<extra></extra>",
        };
      }).filter((trace) => trace.x.length),
    ];
    Plotly.react(plot, traces, layout({
      hovermode: "closest", showlegend: true,
      xaxis: { title: { text: "measured (ms)", standoff: 8 }, range: [low, top] },
      yaxis: { title: { text: "predicted (ms)", standoff: 8 }, range: [low, top] },
    }), plotOptions(`predicted-measured-${device}`));
  });
}

function drawTraining(data) {
  const plot = document.getElementById("training-plot");
  if (!plot) return;
  const x = data.training.map((t) => t.epoch);
  const names = [...new Set(data.training.flatMap((t) => Object.keys(t.accuracies)))];
  const shades = ["accent", "baseline", "good", "muted"];
  const series = (name, y, shade, axis, unit, legend) => ({
    type: "scatter", mode: x.length > 60 ? "lines" : "lines+markers", name: plain(name), x, y, yaxis: axis, showlegend: legend,
    line: { color: colour(shade), width: 2 }, marker: { size: 5 },
    hovertemplate: `${plain(name)} %{y:.4~g}${unit}<extra></extra>`,
  });
  const traces = names.map((name, i) => series(name, data.training.map((t) => t.accuracies[name] ?? null), shades[i % shades.length], "y", " %", true));
  const both = names.length > 0;
  traces.push(series("loss", data.training.map((t) => t.loss), "dim", both ? "y2" : "y", "", false));
  Plotly.react(plot, traces, layout({
    hovermode: "x unified",
    xaxis: { title: { text: "epoch", standoff: 8 }, anchor: both ? "y2" : "y" },
    yaxis: { title: { text: both ? "top-1 (%)" : "loss" }, domain: both ? [0.45, 1] : [0, 1] },
    ...(both ? { yaxis2: { title: { text: "loss" }, domain: [0, 0.34], rangemode: "tozero" } } : {}),
  }), plotOptions("training"));
}
