const ROWS_AT_FIRST = 200;
const CODES = { c: "correct", w: "wrong", n: "no answer", u: "undecided", e: "error", m: "missing" };
const MARKS = { c: "", w: "×", n: "?", u: "~", e: "!", m: "" };
const FLAGS = { truncated: 1, repeated: 2, lost: 4, kept: 8, rewritten: 16 };
const OUTCOMES = { correct: "#1a7f37", "vote lost": "#d97706", wrong: "#c62828", "all tracks wrong": "#c62828", "no answer": "#8250a8", truncated: "#0b62c4", repeated: "#0e7490", undecided: "#9a6700", error: "#57606a", missing: "#b0b8c0" };
const GIGA = 1e9;

const COLUMNS = [
  ["run", (r) => r.run, String, "text"], ["reasoner", (r) => r.reasoner, String, "text"], ["model", (r) => r.model, String, "text"], ["dataset", (r) => r.dataset, String, "text"],
  ["accuracy", (r) => r.accuracy, (v, r) => `${percent(v)} (${percent(r.population_low)} to ${percent(r.population_high)})`],
  ["95 %", null, null],
  ["label", (r) => r.repeats, (v, r) => `avg@${v} (${r.problems}×${v})`],
  ["SE problems", (r) => r.population_error, (v) => percent(v)], ["SE samples", (r) => r.samples_error, (v) => percent(v)],
  ["pass@k", (r) => r.pass_at_k, (v, r) => `${percent(v)} (k=${r.k})`], ["maj@k", (r) => r.maj_at_k, (v, r) => `${percent(v)} (k=${r.k})`], ["any", (r) => r.any_correct, (v) => percent(v)],
  ["no answer", (r) => r.no_answer, (v) => percent(v)], ["undecided", (r) => r.ungradable, (v) => percent(v)], ["truncated", (r) => r.truncated, (v) => percent(v)], ["errors", (r) => r.error, (v) => percent(v)], ["missing", (r) => r.missing, (v) => percent(v)],
  ["target tokens", (r) => r.target_tokens, (v) => fixed(v, 0)], ["draft tokens", (r) => r.draft_tokens, (v) => fixed(v, 0)], ["drafts kept", (r) => r.acceptance, (v) => percent(v)], ["steps rewritten", (r) => r.rewrites, (v) => percent(v)], ["draft tokens kept", (r) => r.draft_kept, (v) => percent(v)],
  ["GFLOPs decode", (r) => r.flops_decode, (v) => fixed(v === null ? null : v / GIGA)], ["× decode", (r) => r.relative_flops_decode, (v) => fixed(v)],
  ["GFLOPs total", (r) => r.flops_total, (v) => fixed(v === null ? null : v / GIGA)], ["× total", (r) => r.relative_flops_total, (v) => fixed(v)],
  ["s p50", (r) => r.seconds_p50, (v) => fixed(v)], ["s p95", (r) => r.seconds_p95, (v) => fixed(v)],
];
let sorted = { column: 4, down: true };

function drawBoard() {
  const [, value] = COLUMNS[sorted.column];
  const order = (a, b) => { const x = value(a), y = value(b); if (x === null || y === null) return (x === null) - (y === null); return (x < y ? -1 : x > y ? 1 : 0) * (sorted.down ? -1 : 1); };
  const heads = COLUMNS.map(([name, get, , kind], index) => {
    if (!get) return element("th", { scope: "col" }, name);
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => {
      sorted = { column: index, down: sorted.column === index ? !sorted.down : kind !== "text" };
      drawBoard();
      document.querySelectorAll("#board thead th")[index].querySelector("button").focus();
    });
    const state = sorted.column !== index ? "none" : sorted.down ? "descending" : "ascending";
    return element("th", { scope: "col", class: kind || "", "aria-sort": state }, button);
  });
  const rows = [...DATA.runs].sort(order).map((run) => element("tr", {}, ...COLUMNS.map(([, get, show, kind]) =>
    element("td", { class: kind || "" }, get ? show(get(run), run) : whisker(run.population_low, run.accuracy, run.population_high)))));
  document.getElementById("board").replaceChildren(element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
}

function drawPairs() {
  const heads = ["run", "problems", "difference", "95 % interval", "p", "Holm p", "won / tied / lost", "detectable"];
  const signed = (share) => (share >= 0 ? "+" : "") + percent(share);
  const rows = DATA.comparisons.map((one) => one.refused
    ? element("tr", {}, element("td", { class: "text" }, one.second), element("td", { class: "long", colspan: 7 }, one.refused))
    : element("tr", {}, element("td", { class: "text" }, one.second), ...[one.problems, signed(one.difference), `${signed(one.interval[0])} to ${signed(one.interval[1])}`, one.p.toFixed(4), one.adjusted_p.toFixed(4), `${one.wins} / ${one.ties} / ${one.losses}`, one.detectable === null ? "unknown" : percent(one.detectable)].map((text) => element("td", {}, String(text)))));
  const warnings = DATA.comparisons.flatMap((one) => (one.warnings || []).map((text) => element("tr", {}, element("td", { class: "text" }, one.second), element("td", { class: "long", colspan: 7 }, "warning: " + text))));
  const empty = rows.length ? [] : [element("tr", {}, element("td", { class: "long" }, "There is only one run."))];
  document.getElementById("pairs").replaceChildren(element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))), element("tbody", {}, ...rows, ...warnings, ...empty));
}

const COSTS = [["GFLOPs total", (r) => r.flops_total === null ? null : r.flops_total / GIGA], ["GFLOPs decode", (r) => r.flops_decode === null ? null : r.flops_decode / GIGA], ["tokens of both models", (r) => r.target_tokens === null ? null : r.target_tokens + r.draft_tokens], ["target tokens", (r) => r.target_tokens], ["seconds p50", (r) => r.seconds_p50]];

function drawScatter() {
  const [name, cost] = COSTS[document.getElementById("cost").value];
  const points = DATA.runs.map((r) => ({ name: r.run, x: cost(r), y: r.accuracy, low: r.population_low, high: r.population_high })).filter((p) => p.x !== null);
  document.getElementById("scatter").replaceChildren(points.length ? scatter(points, `${name} per attempt`) : "No run knows this cost.");
}

function drawOutcomes() {
  const bars = element("div", { class: "bars" });
  for (const run of DATA.runs) {
    const total = Object.values(run.outcomes).reduce((a, b) => a + b, 0);
    const stack = element("div", { class: "stack", role: "img" });
    const said = [];
    for (const name of Object.keys(OUTCOMES)) {
      const count = run.outcomes[name] || 0;
      if (!count) continue;
      said.push(`${name} ${count}`);
      const piece = element("span", { title: `${name}: ${count} of ${total}` });
      piece.style.width = `${100 * count / total}%`;
      piece.style.background = OUTCOMES[name];
      stack.append(piece);
    }
    stack.setAttribute("aria-label", said.join(", "));
    bars.append(element("span", {}, run.run), element("div", {}, stack, element("span", { class: "note" }, said.join(" · "))));
  }
  document.getElementById("outcomes").replaceChildren(bars);
}

function drawSteps() {
  const run = DATA.runs[document.getElementById("steps-run").value];
  const s = run.steps;
  const judged = s.place_judged.filter((n) => n > 0).length;
  const share = (top, bottom) => top.map((n, i) => bottom[i] ? n / bottom[i] : 0);
  document.getElementById("steps-charts").replaceChildren(
    columns("scores: kept (green), rewritten (red)", [{ name: "kept at", values: s.kept, color: "#1a7f37" }, { name: "rewritten at", values: s.rewritten, color: "#c62828" }], 10),
    columns(`right by score (by ${run.label})`, [{ name: "right at", values: share(s.right, s.labelled), color: "#0b62c4" }], 10),
    columns("kept by place in the track", [{ name: "kept at step", values: share(s.place_kept, s.place_judged), color: "#0e7490" }], Math.max(judged, 1)));
}

const problems = [...new Set(DATA.runs.flatMap((run) => run.problem_ids))];
const index = DATA.runs.map((run) => new Map(run.problem_ids.map((id, at) => [id, at])));
let rowsShown = ROWS_AT_FIRST;

function matches(show, code, flag) {
  if (show === "all" || show === "differ") return code !== "m" || show === "all";
  if (show === "wrong") return code !== "c" && code !== "m";
  if (show in FLAGS) return (flag & FLAGS[show]) !== 0;
  return code === show;
}

function solved(id) {
  return new Set(DATA.runs.map((run, r) => index[r].has(id) ? [...run.codes[index[r].get(id)]].filter((code) => code === "c").length / run.repeats : null).filter((share) => share !== null));
}

function drawHeat() {
  const show = document.getElementById("f-show").value;
  const wanted = document.getElementById("f-problem").value.trim();
  let count = 0;
  const kept = problems.filter((id) => {
    if (wanted && !id.includes(wanted)) return false;
    if (show === "differ") return solved(id).size > 1;
    const hits = DATA.runs.reduce((sum, run, r) => {
      const at = index[r].get(id);
      return at === undefined ? sum : sum + [...run.codes[at]].filter((code, j) => matches(show, code, parseInt(run.flags[at][j], 36))).length;
    }, 0);
    count += hits;
    return hits > 0;
  });
  const body = kept.slice(0, rowsShown).map((id) => element("tr", {}, element("th", { scope: "row" }, id), ...DATA.runs.map((run, r) => heatCells(run, r, id, show))));
  const head = element("tr", {}, element("th", {}, "problem"), ...DATA.runs.map((run) => element("th", { scope: "col" }, run.run)));
  document.getElementById("heat").replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
  document.getElementById("more").hidden = kept.length <= rowsShown;
  document.getElementById("f-count").textContent = `${kept.length} problems` + (show === "differ" ? "" : `, ${count} attempts`);
  const first = document.querySelector("#heat .cell:not(.m)");
  if (first) first.tabIndex = 0;
}

function heatCells(run, r, id, show) {
  const at = index[r].get(id);
  const box = element("td", { role: "gridcell" });
  if (at === undefined) return box;
  for (let j = 0; j < run.repeats; j++) {
    const code = run.codes[at][j], flag = parseInt(run.flags[at][j], 36);
    const said = Object.keys(FLAGS).filter((name) => flag & FLAGS[name]);
    const cell = document.createElement("span");
    cell.className = `cell ${code}` + (matches(show, code, flag) ? "" : " faint");
    cell.textContent = MARKS[code];
    if (code !== "m") { cell.dataset.at = `${r},${at},${j}`; cell.tabIndex = -1; cell.setAttribute("role", "button"); }
    cell.setAttribute("aria-label", [`${run.run}, problem ${id}, repeat ${j}: ${CODES[code]}`, ...said].join(", "));
    cell.title = cell.getAttribute("aria-label");
    box.append(cell);
  }
  return box;
}

// One cell is in the tab order; arrows move it, Enter or Space opens its trace.
function heatKey(event) {
  const cell = event.target.closest(".cell");
  if (!cell) return;
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); cell.click(); return; }
  const row = cell.closest("tr");
  const cells = [...row.querySelectorAll(".cell:not(.m)")];
  const at = cells.indexOf(cell);
  const lines = { ArrowUp: row.previousElementSibling, ArrowDown: row.nextElementSibling };
  let next = null;
  if (event.key === "ArrowLeft") next = cells[at - 1];
  else if (event.key === "ArrowRight") next = cells[at + 1];
  else if (lines[event.key]) { const other = [...lines[event.key].querySelectorAll(".cell:not(.m)")]; next = other[Math.min(at, other.length - 1)]; }
  if (!next) return;
  event.preventDefault();
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function options(id, names) {
  document.getElementById(id).append(...names.map(([value, name]) => element("option", { value }, name)));
}

document.getElementById("about").textContent = `${DATA.runs.length} runs, made ${DATA.made}; costs and differences against ${DATA.baseline}.` + (DATA.runs.some((run) => run.hidden) ? " Model texts of datasets whose authors ask for it are left out." : "");
document.getElementById("notes").textContent = DATA.notes;
document.getElementById("legend").append(...Object.entries(CODES).map(([code, name]) => element("span", { class: "legend" }, element("span", { class: `cell ${code}` }, MARKS[code]), " ", name)));
options("cost", COSTS.map(([name], at) => [at, name]));
const speculative = DATA.runs.map((run, at) => [at, run.run]).filter(([at]) => DATA.runs[at].steps.place_judged.some((n) => n > 0));
if (speculative.length) { document.getElementById("steps").hidden = false; options("steps-run", speculative); drawSteps(); }
drawBoard(); drawPairs(); drawScatter(); drawOutcomes(); drawHeat();
document.getElementById("cost").addEventListener("change", drawScatter);
document.getElementById("steps-run").addEventListener("change", drawSteps);
for (const id of ["f-problem", "f-show"]) document.getElementById(id).addEventListener("input", () => { rowsShown = ROWS_AT_FIRST; drawHeat(); });
document.getElementById("more").addEventListener("click", () => { rowsShown += ROWS_AT_FIRST; drawHeat(); });
document.getElementById("heat").addEventListener("click", (event) => { const at = event.target.dataset.at; if (at) openTrace(...at.split(",").map(Number)); });
document.getElementById("heat").addEventListener("keydown", heatKey);
