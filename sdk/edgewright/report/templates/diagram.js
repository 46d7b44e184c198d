// A subnet as inline SVG: one row a block, as long as the block is wide inside.

const SVG = "http://www.w3.org/2000/svg";
const ROW = 19;
const BAR = { x: 62, height: 15, widest: 174, least: 66 };

function svg(name, attributes, parent, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

// Returns [{title, operators}]: stem, stages, head. Blocks that no depth counts, such as the
// inelastic first one, stay with the stem.
function groups(operators, depths) {
  const isBlock = (o) => o.kind === "mbconv";
  const blocks = operators.filter(isBlock);
  const elastic = depths.reduce((a, b) => a + b, 0);
  const loose = depths.length ? Math.max(0, blocks.length - elastic) : 0;
  const stem = [...operators.filter((o) => o.kind === "stem"), ...blocks.slice(0, loose)];
  const rest = blocks.slice(loose);
  const found = [{ title: "stem", operators: stem }];
  let start = 0;
  (depths.length ? depths : [rest.length]).forEach((depth, i) => {
    found.push({ title: depths.length ? `stage ${i + 1}` : "blocks", operators: rest.slice(start, start + depth) });
    start += depth;
  });
  found.push({ title: "head", operators: operators.filter((o) => !isBlock(o) && o.kind !== "stem") });
  return found.filter((group) => group.operators.length);
}

function describe(o) {
  if (o.kind === "stem") return `convolution ${o.kernel}×${o.kernel}, stride ${o.stride}, ${o.in} → ${o.out} channels, input ${o.size}×${o.size}`;
  if (o.kind === "head") return `head: ${o.in} → ${o.mid} → ${o.hidden} → ${o.out} classes, input ${o.size}×${o.size}`;
  return `block: kernel ${o.kernel}×${o.kernel}, expansion ${o.expand}, ${o.in} → ${o.mid} → ${o.out} channels, stride ${o.stride}, input ${o.size}×${o.size}, ${o.act}`
    + (o.se ? ", squeeze-and-excitation" : "") + (o.residual ? ", residual" : "");
}

function drawArchitecture(operators, depths) {
  const stages = groups(operators, depths);
  const widest = Math.max(...operators.map((o) => Math.max(o.mid, o.out)));
  const height = stages.reduce((sum, s) => sum + s.operators.length * ROW + 9, 0) + 2;
  const summary = stages.map((s) => `${s.title}: ${s.operators.map(describe).join("; ")}`).join(". ");
  const figure = svg("svg", { viewBox: `0 0 326 ${height}`, role: "img", "aria-label": summary });
  let y = 3;
  for (const stage of stages) {
    svg("text", { x: 0, y: y + 11, class: "faint" }, figure, stage.title);
    svg("line", { x1: BAR.x - 7, x2: BAR.x - 7, y1: y, y2: y + stage.operators.length * ROW - 4, class: "rail", "stroke-width": 2 }, figure);
    for (const o of stage.operators) { drawRow(figure, o, y, widest); y += ROW; }
    y += 9;
  }
  return figure;
}

function drawRow(figure, o, y, widest) {
  const row = svg("g", { "data-block": o.kind }, figure);
  svg("title", {}, row, describe(o));
  // Area would exaggerate: the root of the width keeps the first stages readable beside the last.
  const share = Math.sqrt(Math.max(o.mid, o.out) / widest);
  const length = Math.max(BAR.least, share * BAR.widest);
  const kernel = o.kind === "mbconv" ? [3, 5, 7].find((k) => k >= o.kernel) ?? 7 : 1;
  svg("rect", { x: BAR.x, y, width: length, height: BAR.height, rx: 3, class: `k${kernel}` }, row);
  const label = o.kind === "mbconv" ? `k${o.kernel} · e${digits(o.expand)}${o.se ? " · se" : ""}`
    : o.kind === "stem" ? `conv ${o.kernel}×${o.kernel}` : `head, ${o.out} classes`;
  svg("text", { x: BAR.x + 6, y: y + 11, class: `on-k${kernel}` }, row, label);
  const channels = o.kind === "head" ? `${o.mid} ch` : `${o.out} ch`;
  svg("text", { x: 274, y: y + 11, "text-anchor": "end", class: "faint" }, row, `${o.stride > 1 ? "↓ " : ""}${o.size}²`);
  svg("text", { x: 326, y: y + 11, "text-anchor": "end", class: "faint" }, row, channels);
}
