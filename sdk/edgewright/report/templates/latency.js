// How far a table is off where, what a network's operators cost, and how steady the device was.

function drawErrors(data) {
  document.querySelectorAll("[data-error]").forEach((plot) => {
    const { device, points } = data.predictions[Number(plot.dataset.error)];
    const error = (p) => (p.predicted / p.measured - 1) * 100;
    const reach = Math.max(12, ...points.map((p) => Math.abs(error(p)))) * 1.1;
    const far = Math.max(...points.map((p) => p.measured), 0) * 1.08 || 1;
    const near = Math.min(...points.map((p) => p.measured), far) * 0.88;
    const line = (y, extra) => ({ type: "scatter", mode: "lines", x: [0, far * 2], y: [y, y], hoverinfo: "skip", showlegend: false, ...extra });
    const traces = [
      line(-10, { line: { width: 0 } }),
      line(10, { line: { width: 0 }, fill: "tonexty", fillcolor: colour("accent-soft") }),
      line(0, { line: { color: colour("dim"), width: 1.5, dash: "dot" } }),
      ...ROLES.map(([role, name, marker, shade]) => {
        const chosen = points.filter((p) => p.role === role);
        return {
          type: "scatter", mode: "markers", name, marker: { ...marker, color: colour(shade) },
          x: chosen.map((p) => p.measured), y: chosen.map(error),
          text: chosen.map((p) => `<b>${plain(p.id)}</b><br>measured ${digits(p.measured, { fixed: true })} ms`),
          hovertemplate: "%{text}<br>error %{y:+.1f} %<extra></extra>",
        };
      }).filter((trace) => trace.x.length),
    ];
    Plotly.react(plot, traces, layout({
      hovermode: "closest", showlegend: true,
      xaxis: { title: { text: "measured (ms)", standoff: 8 }, range: [near, far] },
      yaxis: { title: { text: "error (%)", standoff: 8 }, range: [-reach, reach] },
    }), plotOptions(`error-${device}`));
  });
}

function drawBreakdown(data) {
  const plot = document.getElementById("breakdown-plot");
  if (!plot) return;
  const pick = document.getElementById("breakdown-pick");
  pick.onchange = () => drawBreakdown(data);
  const { id, device, total, bars } = data.breakdowns[Number(pick.value)];
  const shade = ({ kernel }) => colour([3, 5, 7].includes(kernel) ? `k${kernel}` : "dim");
  const words = ({ label, detail, ms, noisy }) => `<b>${plain(label)}</b><br>${plain(detail)}<br>${
    ms === null ? "failed on the device" : `${digits(ms, { fixed: true })} ms, ${(ms / total * 100).toFixed(1)} %`}${noisy ? "<br>its measurement is noisy" : ""}`;
  plot.style.height = `${bars.length * 20 + 80}px`;
  Plotly.react(plot, [{
    type: "bar", orientation: "h",
    x: bars.map((bar) => bar.ms ?? 0), y: bars.map((_, i) => i),
    marker: { color: bars.map(shade) },
    text: bars.map(words), textposition: "none", hovertemplate: "%{text}<extra></extra>",
  }], layout({
    hovermode: "closest", bargap: 0.25, uirevision: `${id}-${device}`,
    xaxis: { title: { text: `ms, of ${digits(total, { fixed: true })} ms predicted`, standoff: 8 }, rangemode: "tozero" },
    yaxis: { autorange: "reversed", tickvals: bars.map((_, i) => i), ticktext: bars.map((bar) => plain(bar.noisy ? `${bar.label} ~` : bar.label)), tickfont: { size: 11 } },
  }), plotOptions(`breakdown-${id}-${device}`));
}

function drawDrift(data) {
  document.querySelectorAll("[data-drift]").forEach((plot) => {
    const { device, operator, ms, taint } = data.drifts[Number(plot.dataset.drift)];
    const sorted = ms.filter((value) => value !== null).sort((a, b) => a - b);
    const middle = (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2 || 1;
    const moved = ms.map((value) => (value === null ? null : (value / middle - 1) * 100));
    const reach = Math.max((taint ?? 0) * 130, 3, ...moved.map((value) => Math.abs(value ?? 0) * 1.15));
    const limit = (y) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: { color: colour("warn"), width: 1.2, dash: "dash" } });
    Plotly.react(plot, [{
      type: "scatter", mode: "lines+markers", x: ms.map((_, i) => i + 1), y: moved,
      line: { color: colour("accent"), width: 1.5 }, marker: { size: 6 },
      text: ms.map((value) => `${plain(operator)}<br>${digits(value, { fixed: true })} ms`),
      hovertemplate: "%{text}<br>%{y:+.1f} %<extra></extra>", showlegend: false,
    }], layout({
      hovermode: "closest",
      xaxis: { title: { text: "stretch of measuring", standoff: 8 }, rangemode: "tozero" },
      yaxis: { title: { text: "from its median (%)", standoff: 8 }, range: [-reach, reach] },
      shapes: taint === null ? [] : [limit(taint * 100), limit(-taint * 100)],
    }), plotOptions(`drift-${device}`));
  });
}
