// The archive as it was after any evaluation: what had been seen, what was on the front then.

const PLAY_MS = 6000; // the whole search, however long it was

// Null where the report does not know the order in which networks were evaluated.
function lastEvaluation(data) {
  const known = data.points.map((p) => p.evaluation).filter((n) => n !== null);
  return known.length ? Math.max(...known) : null;
}

function wasSeen(point, after) {
  return point.baseline || point.evaluation === null || after === null || point.evaluation <= after;
}

function wasOnFront(data, point, after) {
  if (point.baseline || !point.feasible) return false;
  if (point.evaluation === null || after === null || after >= lastEvaluation(data)) return point.front;
  return point.evaluation <= after && (point.beaten === null || point.beaten > after);
}

function iterationAt(data, after) {
  let found = null;
  for (const p of data.points) if (p.evaluation !== null && p.evaluation <= after) found = Math.max(found ?? 0, p.iteration);
  return found;
}

function hypervolumeAt(data, after) {
  const curve = data.curves.find((c) => c.own);
  if (!curve) return null;
  const at = curve.x.findLastIndex((n) => n <= after);
  return at < 0 ? null : curve.hypervolume[at];
}

function startTime(data, state, draw) {
  const last = state.after;
  const time = document.getElementById("time");
  if (last === null || last < 2 || !time) return;
  const [slider, words, play] = ["after", "after-text", "play"].map((id) => document.getElementById(id));
  Object.assign(slider, { min: 1, max: last, value: last });
  const move = (after) => {
    state.after = after;
    slider.value = after;
    words.textContent = told(data, after, last);
    slider.setAttribute("aria-valuetext", words.textContent);
    draw();
  };
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
  slider.addEventListener("input", () => { stop(); move(Number(slider.value)); });
  play.addEventListener("click", () => {
    if (timer) { stop(); return; }
    play.textContent = "Stop";
    const step = Math.max(1, Math.round(last / (PLAY_MS / 120)));
    let after = state.after >= last ? 0 : state.after;
    timer = setInterval(() => {
      after = Math.min(last, after + step);
      move(after);
      if (after >= last) stop();
    }, 120);
  });
  time.hidden = false;
  words.textContent = told(data, last, last);
  slider.setAttribute("aria-valuetext", words.textContent);
}

function told(data, after, last) {
  const front = data.points.filter((p) => wasOnFront(data, p, after)).length;
  const volume = hypervolumeAt(data, after);
  return [
    `after ${after} of ${last} evaluations`,
    iterationAt(data, after) ? `iteration ${iterationAt(data, after)}` : "initial design",
    `${front} on the front`,
    ...(volume === null ? [] : [`hypervolume ${volume.toFixed(4)}`]),
  ].join(" · ");
}
