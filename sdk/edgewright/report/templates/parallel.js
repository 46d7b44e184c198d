// Every network as a line across what sums it up and what it costs. Dragging along an axis keeps a range.

const PLOT = { wide: 620, top: 64, bottom: 42, height: 390, edge: 58, row: 62, grip: 14, near: 14 };

function startParallel(data, choose) {
  const place = document.getElementById("parallel");
  if (!place) return;
  const parts = Object.fromEntries(["depths", "clear", "count", "caption"].map((id) => [id, document.getElementById(`parallel-${id}`)]));
  const state = { ranges: new Map(), hovered: null, view: null };
  const points = data.points.map((point, index) => ({ point, index })).filter(({ point }) => !point.baseline);
  const redraw = () => {
    state.view = drawParallel(place, data, points, parts.depths.checked);
    mark();
  };
  const mark = () => {
    const chosen = Number(document.documentElement.dataset.chosen ?? -1);
    const kept = points.filter(({ point }) => isKept(point, state));
    const inside = new Set(kept.map(({ index }) => index));
    for (const line of place.querySelectorAll(".line")) {
      const index = Number(line.dataset.index);
      line.classList.toggle("out", !inside.has(index));
      line.classList.toggle("chosen", index === chosen);
      line.classList.toggle("hovered", index === state.hovered);
    }
    drawRanges(state);
    parts.clear.hidden = !state.ranges.size;
    parts.count.textContent = state.ranges.size ? `${kept.length} of ${points.length} networks` : "";
    const index = state.hovered ?? (inside.has(chosen) ? chosen : null);
    fillCaption(parts.caption, data, state.view, index, choose);
  };
  state.mark = mark;
  parts.depths.addEventListener("change", () => { state.ranges.clear(); redraw(); });
  parts.clear.addEventListener("click", () => { state.ranges.clear(); mark(); });
  document.addEventListener("chosen", mark);
  place.addEventListener("pointermove", (event) => hoverLine(event, place, points, state));
  place.addEventListener("pointerleave", () => { state.hovered = null; mark(); });
  place.addEventListener("pointerdown", (event) => pressAxis(event, place, points, state, choose));
  let width = null;
  new ResizeObserver(() => { if (place.clientWidth !== width) { width = place.clientWidth; redraw(); } }).observe(place);
}

function parallelAxes(data, points, withDepths) {
  const stages = withDepths ? Math.max(0, ...points.map(({ point }) => point.depths.length)) : 0;
  const axes = [
    ...data.traits.map((label, i) => ({ label, unit: "", budget: null, value: (p) => p.traits[i] })),
    ...Array.from({ length: stages }, (_, i) => ({ label: `depth of stage ${i + 1}`, unit: "", budget: null, value: (p) => p.depths[i] ?? null })),
    ...data.objectives.map((o, i) => ({ label: o.label, unit: o.unit, budget: o.budget, value: (p) => p.values[i] })),
  ];
  return axes.flatMap((axis) => {
    const values = points.map(({ point }) => axis.value(point)).filter((v) => v !== null && v !== undefined);
    if (!values.length) return [];
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const reach = (high - low || Math.abs(high) || 1) * 0.5;
    // A budget far off would press all lines into a corner.
    const near = axis.budget !== null && axis.budget > low - reach && axis.budget < high + reach;
    if (near) [low, high] = [Math.min(low, axis.budget), Math.max(high, axis.budget)];
    if (low === high) [low, high] = [low - 0.5, high + 0.5];
    return [{ ...axis, low, high, near, share: (v) => (v - low) / (high - low) }];
  });
}

function drawParallel(place, data, points, withDepths) {
  const axes = parallelAxes(data, points, withDepths);
  const width = Math.max(240, place.clientWidth);
  // Axes stand side by side where there is room, else lie one below the other.
  const upright = width >= PLOT.wide && width / axes.length >= 74;
  const height = upright ? PLOT.height : axes.length * PLOT.row + 12;
  const gap = (width - 2 * PLOT.edge) / Math.max(1, axes.length - 1);
  const at = upright
    ? (i, share) => [PLOT.edge + i * gap, PLOT.height - PLOT.bottom - share * (PLOT.height - PLOT.bottom - PLOT.top)]
    : (i, share) => [12 + share * (width - 24), 32 + i * PLOT.row];
  const figure = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: upright ? "upright" : "flat" });
  figure.setAttribute("aria-hidden", "true");
  for (const { point, index } of inOrder(points)) {
    const places = axes.map((axis, i) => [axis.value(point), i]).filter(([v]) => v !== null && v !== undefined).map(([v, i]) => at(i, axes[i].share(v)));
    svg("path", { d: `M${places.map((p) => p.map((c) => c.toFixed(1)).join(" ")).join("L")}`, class: `line ${lineKind(point)}`, "data-index": index }, figure);
  }
  axes.forEach((axis, i) => drawAxis(figure, axis, i, at, upright, gap));
  place.replaceChildren(figure);
  return { axes, at, upright, gap, figure };
}

const lineKind = (point) => (point.finalist || point.compiled ? "finalist" : !point.feasible ? "over" : point.front ? "front" : "");

// What matters most is drawn last.
function inOrder(points) {
  const rank = ({ point }) => (point.finalist || point.compiled ? 2 : point.front && point.feasible ? 1 : 0);
  return [...points].sort((a, b) => rank(a) - rank(b));
}

function drawAxis(figure, axis, i, at, upright, gap) {
  const [[x0, y0], [x1, y1]] = [at(i, 0), at(i, 1)];
  svg("line", { x1: x0, y1: y0, x2: x1, y2: y1, class: "axis" }, figure);
  const end = (value) => plainNumber(axis, value);
  if (upright) {
    const room = Math.min(gap, 2 * (x0 - figure.viewBox.baseVal.x), 2 * (figure.viewBox.baseVal.width - x0));
    const lines = wrapped(axis.label, Math.max(8, Math.floor(room / 7.8)));
    lines.forEach((text, k) => svg("text", { x: x0, y: y1 - 24 - (lines.length - 1 - k) * 13, "text-anchor": "middle", class: "name" }, figure, text));
    svg("text", { x: x0, y: y1 - 8, "text-anchor": "middle" }, figure, end(axis.high));
    svg("text", { x: x0, y: y0 + 16, "text-anchor": "middle" }, figure, end(axis.low));
  } else {
    svg("text", { x: x0, y: y0 - 12, class: "name" }, figure, axis.label);
    svg("text", { x: x0, y: y0 + 17 }, figure, end(axis.low));
    svg("text", { x: x1, y: y0 + 17, "text-anchor": "end" }, figure, end(axis.high));
  }
  if (axis.budget === null) return;
  const words = `budget ${end(axis.budget)}`;
  if (axis.near) {
    const [x, y] = at(i, axis.share(axis.budget));
    svg("line", upright ? { x1: x - 9, x2: x + 9, y1: y, y2: y, class: "budget" } : { x1: x, x2: x, y1: y - 9, y2: y + 9, class: "budget" }, figure);
    svg("title", {}, figure.lastChild, words);
  }
  svg("text", upright ? { x: x0, y: y0 + 32, "text-anchor": "middle", class: "budget" } : { x: (x0 + x1) / 2, y: y0 + 17, "text-anchor": "middle", class: "budget" }, figure, words);
}

const plainNumber = (axis, value) => `${digits(value)} ${axis.unit}`.trim();

function wrapped(label, most) {
  const lines = [];
  for (const word of label.split(/(?<=-)|\s+/)) {
    const last = lines.at(-1);
    const glue = last?.endsWith("-") ? "" : " ";
    if (last !== undefined && (last + glue + word).length <= most) lines[lines.length - 1] = last + glue + word;
    else lines.push(word);
  }
  return lines.length > 3 ? [...lines.slice(0, 2), `${lines[2]}…`] : lines;
}

// Where the pointer is, in the drawing's own units.
function pointerAt(event, figure) {
  const box = figure.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

// The axis under the pointer and the share of it, or null.
function axisUnder([x, y], { axes, at, upright }) {
  for (let i = 0; i < axes.length; i += 1) {
    const [[x0, y0], [x1, y1]] = [at(i, 0), at(i, 1)];
    const off = upright ? Math.abs(x - x0) : Math.abs(y - y0);
    const share = upright ? (y - y0) / (y1 - y0) : (x - x0) / (x1 - x0);
    if (off <= PLOT.grip && share > -0.06 && share < 1.06) return { i, share: Math.min(1, Math.max(0, share)) };
  }
  return null;
}

function isKept(point, { ranges, view }) {
  for (const [i, [low, high]] of ranges) {
    const value = view.axes[i].value(point);
    if (value === null || value === undefined) return false;
    const share = view.axes[i].share(value);
    if (share < low - 1e-9 || share > high + 1e-9) return false;
  }
  return true;
}

function drawRanges({ ranges, view }) {
  view.figure.querySelectorAll(".range").forEach((old) => old.remove());
  for (const [i, [low, high]] of ranges) {
    const [[x0, y0], [x1, y1]] = [view.at(i, low), view.at(i, high)];
    svg("rect", {
      x: Math.min(x0, x1) - (view.upright ? 7 : 0), y: Math.min(y0, y1) - (view.upright ? 0 : 7),
      width: Math.abs(x1 - x0) + (view.upright ? 14 : 0), height: Math.abs(y1 - y0) + (view.upright ? 0 : 14), class: "range",
    }, view.figure);
  }
}

// The line nearest to the pointer between its two neighbouring axes.
function nearest([x, y], points, state) {
  const { axes, at, upright } = state.view;
  const along = upright ? x : y;
  const [first, second] = [at(0, 0)[upright ? 0 : 1], axes.length > 1 ? at(1, 0)[upright ? 0 : 1] : 1];
  const step = second - first || 1;
  const i = Math.min(axes.length - 2, Math.max(0, Math.floor((along - first) / step)));
  if (axes.length < 2) return null;
  const part = (along - first) / step - i;
  let found = null;
  let least = PLOT.near;
  for (const { point, index } of points) {
    const [a, b] = [axes[i].value(point), axes[i + 1].value(point)];
    if (a === null || b === null || a === undefined || b === undefined || !isKept(point, state)) continue;
    const from = at(i, axes[i].share(a));
    const to = at(i + 1, axes[i + 1].share(b));
    const here = upright ? from[1] + part * (to[1] - from[1]) : from[0] + part * (to[0] - from[0]);
    const off = Math.abs(here - (upright ? y : x));
    if (off < least) { least = off; found = index; }
  }
  return found;
}

function hoverLine(event, place, points, state) {
  if (event.buttons || !state.view) return;
  const position = pointerAt(event, state.view.figure);
  place.style.cursor = axisUnder(position, state.view) ? (state.view.upright ? "ns-resize" : "ew-resize") : "default";
  const found = nearest(position, points, state);
  if (found !== state.hovered) { state.hovered = found; state.mark(); }
}

function pressAxis(event, place, points, state, choose) {
  const start = pointerAt(event, state.view.figure);
  const grip = axisUnder(start, state.view);
  const moved = (position) => Math.hypot(position[0] - start[0], position[1] - start[1]) > 4;
  const move = (e) => {
    const position = pointerAt(e, state.view.figure);
    if (!grip || !moved(position)) return;
    const [[x0, y0], [x1, y1]] = [state.view.at(grip.i, 0), state.view.at(grip.i, 1)];
    const share = state.view.upright ? (position[1] - y0) / (y1 - y0) : (position[0] - x0) / (x1 - x0);
    const here = Math.min(1, Math.max(0, share));
    state.hovered = null;
    state.ranges.set(grip.i, [Math.min(grip.share, here), Math.max(grip.share, here)]);
    state.mark();
  };
  const done = new AbortController();
  const up = (e) => {
    done.abort();
    if (moved(pointerAt(e, state.view.figure))) return;
    if (grip && state.ranges.delete(grip.i)) { state.mark(); return; }
    const found = nearest(start, points, state);
    if (found !== null) choose(found);
  };
  if (grip) { place.setPointerCapture(event.pointerId); event.preventDefault(); }
  place.addEventListener("pointermove", move, { signal: done.signal });
  place.addEventListener("pointerup", up, { signal: done.signal });
  place.addEventListener("pointercancel", () => done.abort(), { signal: done.signal });
}

function fillCaption(caption, data, view, index, choose) {
  if (index === null || !data.points[index]) { caption.textContent = "Point at a line, or click it."; return; }
  const point = data.points[index];
  const values = view.axes.map((axis) => `${axis.label} ${axis.value(point) === null || axis.value(point) === undefined ? "–" : plainNumber(axis, axis.value(point))}`);
  const button = element("button", { type: "button", className: "link", textContent: point.id });
  button.addEventListener("click", () => choose(index, { focus: true }));
  caption.replaceChildren(button, ` ${values.join(" · ")}`);
}
