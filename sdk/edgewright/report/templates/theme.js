// Light and dark: the system's wish first, the reader's button over it.

const root = document.documentElement;

// The computed value of a variable is its text, `light-dark(…)`; that of a colour is resolved.
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

function startTheme(redraw) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  let chosen = null;
  const apply = () => {
    const dark = chosen ?? system.matches;
    root.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${dark ? "light" : "dark"} colours`);
    redraw();
  };
  system.addEventListener("change", apply);
  button.addEventListener("click", () => { chosen = root.dataset.theme !== "dark"; apply(); });
  button.hidden = false;
  apply();
}

// What all plots share. Text is never parsed as markup: see `plain`.
function layout(extra) {
  const axis = { gridcolor: colour("grid"), linecolor: colour("line"), zeroline: false, automargin: true, tickfont: { size: 12 } };
  const { xaxis = {}, yaxis = {}, yaxis2, ...rest } = extra;
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", size: 13, color: colour("ink") },
    margin: { l: 56, r: 16, t: 16, b: 48 },
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink"), size: 13 }, align: "left" },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 12 } },
    ...rest,
    xaxis: { ...axis, ...xaxis },
    yaxis: { ...axis, ...yaxis },
    ...(yaxis2 ? { yaxis2: { ...axis, ...yaxis2 } } : {}),
  };
}

function plotOptions(filename) {
  return {
    responsive: true,
    displaylogo: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { format: "png", filename, scale: 2 },
  };
}

// plotly.js reads a little HTML in its texts; a name from a file must not become markup.
function plain(value) {
  return String(value).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

// Three significant digits; trailing zeros are kept where values stand beside each other.
function digits(value, { fixed = false } = {}) {
  if (value === null || value === undefined) return "–";
  const rounded = Number(value.toPrecision(3));
  if (!fixed || rounded === 0) return rounded.toLocaleString("en", { maximumFractionDigits: 9 });
  return rounded.toFixed(Math.min(9, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded))))));
}
