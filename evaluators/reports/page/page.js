const ROWS_AT_FIRST = 200;
const TABLE_ROWS = 25;
const FLAT_REPEATS = 4;
const CELL_WIDTH = 17; // pixels
const CODES = { c: "correct", w: "wrong", n: "no answer", u: "ungradable", e: "error", m: "missing" };
const MARKS = { c: "", w: "×", n: "?", u: "~", e: "!", m: "" };
const FLAGS = { truncated: 1, repeated: 2, lost: 4, kept: 8, rewritten: 16 };
const OUTCOMES = { correct: "#1a7f37", "vote lost": "#d97706", wrong: "#c62828", "all tracks wrong": "#c62828", "no answer": "#8250a8", truncated: "#0b62c4", repeated: "#0e7490", ungradable: "#9a6700", error: "#57606a", missing: "#b0b8c0" };
const GIGA = 1e9;

const several = DATA.runs.some((run) => run.repeats > 1);
const drafted = DATA.runs.some((run) => run.draft_tokens > 0);
const roles = [...new Set(DATA.runs.flatMap((run) => run.roles))].filter((role) => role !== "target" && role !== "draft");
const datasets = [...new Set(DATA.runs.map((run) => run.dataset))];
// Name, value, text and kind of each column; columns in which no run can have anything to say are left out.
const COLUMNS = [
  ["run", (r) => r.run, String, "text"],
  ["accuracy", (r) => r.accuracy, (v) => percent(v), "main"],
  ["95 % interval", null, null],
  ["", (r) => r.population_low, (v, r) => `${percent(v)} to ${percent(r.population_high)}`],
  ["label", (r) => r.repeats, (v, r) => `avg@${v} (${r.problems}×${v})`, "text"],
  ["reasoner", (r) => r.reasoner, String, "text"], ["model", (r) => r.model, String, "text"], datasets.length > 1 && ["dataset", (r) => r.dataset, String, "text"],
  ["target tokens", (r) => r.target_tokens, (v) => fixed(v, 0)], drafted && ["draft tokens", (r) => r.draft_tokens, (v) => fixed(v, 0)],
  ...roles.map((role) => [`${role} tokens`, (r) => r[`${role}_tokens`] ?? null, (v) => fixed(v, 0)]),
  ["GFLOPs total", (r) => r.flops_total, (v) => fixed(v === null ? null : v / GIGA)], ["× total", (r) => r.relative_flops_total, (v) => fixed(v)],
  ["GFLOPs decode", (r) => r.flops_decode, (v) => fixed(v === null ? null : v / GIGA)], ["× decode", (r) => r.relative_flops_decode, (v) => fixed(v)],
  ["s p50", (r) => r.seconds_p50, (v) => fixed(v)], ["s p95", (r) => r.seconds_p95, (v) => fixed(v)],
  ["s mean", (r) => r.seconds_mean, (v) => fixed(v)], ["s least", (r) => r.seconds_least, (v) => fixed(v)], ["s longest", (r) => r.seconds_longest, (v) => fixed(v)],
  ["answered: s mean", (r) => r.answered_seconds_mean, (v) => fixed(v)], ["answered: s p50", (r) => r.answered_seconds_p50, (v) => fixed(v)], ["answered: s least", (r) => r.answered_seconds_least, (v) => fixed(v)], ["answered: s longest", (r) => r.answered_seconds_longest, (v) => fixed(v)],
  ["tokens of the chosen track", (r) => r.chosen_tokens, (v) => fixed(v, 0)],
  drafted && ["drafts kept", (r) => r.acceptance, (v) => percent(v)], drafted && ["steps rewritten", (r) => r.rewrites, (v) => percent(v)], drafted && ["draft tokens kept", (r) => r.draft_kept, (v) => percent(v)],
  several && ["pass@k", (r) => r.pass_at_k, (v, r) => `${percent(v)} ± ${percent(r.pass_at_k_error)} (k=${r.k})`], several && ["maj@k", (r) => r.maj_at_k, (v, r) => v === null ? `– (k=${r.k})` : `${percent(v)} ± ${percent(r.maj_at_k_error)} (k=${r.k})`], several && ["any", (r) => r.any_correct, (v) => percent(v)],
  ["no answer", (r) => r.no_answer, (v) => percent(v)], ["ungradable", (r) => r.ungradable, (v) => percent(v)], ["truncated", (r) => r.truncated, (v) => percent(v)], ["errors", (r) => r.error, (v) => percent(v)], ["missing", (r) => r.missing, (v) => percent(v)],
  ["SE problems", (r) => r.population_error, (v) => percent(v)], several && ["SE samples", (r) => r.samples_error, (v) => percent(v)],
].filter(Boolean);
let sorted = { column: COLUMNS.findIndex(([name]) => name === "accuracy"), down: true };

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
  const signed = (share) => (share >= 0 ? "+" : "") + percent(share);
  const pValue = (p) => p < 0.0001 ? "<0.0001" : p.toFixed(4);
  const times = (cost) => cost === null ? "–" : `${fixed(cost.ratio)} (${fixed(cost.interval[0])} to ${fixed(cost.interval[1])})`;
  const asked = DATA.comparisons.find((one) => one.not_worse);
  const columns = [
    ["problems", (one) => one.problems], ["difference", (one) => signed(one.difference)], ["95 % interval", (one) => `${signed(one.interval[0])} to ${signed(one.interval[1])}`],
    ["p", (one) => pValue(one.p)], ["Holm p", (one) => pValue(one.adjusted_p)],
    asked && [`not worse by more than ${+(100 * asked.not_worse.margin).toFixed(4)} points`, (one) => `${one.not_worse.holds ? "yes" : "not shown"} (p ${pValue(one.not_worse.adjusted_p)})`],
    ["won / tied / lost", (one) => `${one.wins} / ${one.ties} / ${one.losses}`], ["detectable", (one) => one.detectable === null ? "–" : percent(one.detectable)],
    ["tokens ×", (one) => times(one.costs.tokens)], ["GFLOPs decode ×", (one) => times(one.costs.flops_decode)], ["GFLOPs total ×", (one) => times(one.costs.flops_total)], ["seconds ×", (one) => times(one.costs.seconds)],
  ].filter(Boolean);
  const long = (run, text) => element("tr", {}, element("td", { class: "text" }, run), element("td", { class: "long", colspan: columns.length }, text));
  const rows = DATA.comparisons.map((one) => one.refused ? long(one.second, one.refused)
    : element("tr", {}, element("td", { class: "text" }, one.second), ...columns.map(([, show]) => element("td", {}, String(show(one))))));
  const warnings = DATA.comparisons.flatMap((one) => (one.warnings || []).map((text) => long(one.second, "warning: " + text)));
  const empty = rows.length ? [] : [element("tr", {}, element("td", { class: "long" }, "There is only one run."))];
  const heads = [["run"], ...columns].map(([head]) => element("th", { scope: "col", class: head === "run" ? "text" : "" }, head));
  document.getElementById("pairs").replaceChildren(element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows, ...warnings, ...empty));
}

function drawGuided() {
  const rows = DATA.runs.flatMap((run) => run.guided.map((one) => element("tr", {}, element("td", { class: "text" }, run.run), element("td", { class: "text" }, one.name), ...[String(one.tracks), String(one.correct), percent(one.accuracy)].map((text) => element("td", {}, text)))));
  const heads = [["run", "text"], ["role or method", "text"], ["tracks"], ["correct"], ["accuracy"]].map(([head, kind]) => element("th", { scope: "col", class: kind || "" }, head));
  document.getElementById("guided").replaceChildren(element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
  document.getElementById("guided-section").hidden = rows.length === 0;
}

const COSTS = [["GFLOPs total", (r) => r.flops_total === null ? null : r.flops_total / GIGA], ["GFLOPs decode", (r) => r.flops_decode === null ? null : r.flops_decode / GIGA], ["tokens of both models", (r) => r.target_tokens === null ? null : r.target_tokens + r.draft_tokens], ["target tokens", (r) => r.target_tokens], ["seconds p50", (r) => r.seconds_p50]];

function drawScatter() {
  const [name, cost] = COSTS[document.getElementById("cost").value];
  const points = DATA.runs.map((r) => ({ name: r.run, x: cost(r), y: r.accuracy, low: r.population_low, high: r.population_high })).filter((p) => p.x !== null);
  document.getElementById("scatter").replaceChildren(points.length ? scatter(points, `${name} per attempt`, Math.min(900, document.getElementById("scatter").clientWidth)) : "No run knows this cost.");
}

function drawOutcomes() {
  const bars = element("div", { class: "bars" });
  for (const run of DATA.runs) {
    const total = Object.values(run.outcomes).reduce((a, b) => a + b, 0);
    const stack = element("div", { class: "stack", role: "img" });
    const said = [], keys = [];
    for (const name of Object.keys(OUTCOMES)) {
      const count = run.outcomes[name] || 0;
      if (!count) continue;
      said.push(`${name} ${count}`);
      const piece = element("span", { title: `${name}: ${count} of ${total}` });
      piece.style.width = `${100 * count / total}%`;
      piece.style.background = OUTCOMES[name];
      stack.append(piece);
      const swatch = element("span", { class: "swatch" });
      swatch.style.background = OUTCOMES[name];
      keys.push(element("span", { class: "legend" }, swatch, `${name} ${count}`));
    }
    stack.setAttribute("aria-label", said.join(", "));
    bars.append(element("span", {}, run.run), element("div", {}, stack, element("span", { class: "note" }, ...keys)));
  }
  document.getElementById("outcomes").replaceChildren(bars);
}

function drawSteps() {
  const run = DATA.runs[document.getElementById("steps-run").value];
  const s = run.steps;
  const last = s.place_judged.findLastIndex((n) => n > 0);
  const share = (top, bottom) => top.map((n, i) => bottom[i] ? n / bottom[i] : null);
  // A greedy score is a whole number, whose bar begins half a score before it.
  const threshold = run.judging ? run.judging.score_threshold + (run.judging.score_method === "greedy" ? 0 : 0.5) : null;
  document.getElementById("steps-charts").replaceChildren(
    columns({ title: "Scores of drafts: kept (green), rewritten (red)", axis: "score", line: threshold }, [{ name: "kept at score", values: s.kept, paint: "good" }, { name: "rewritten at score", values: s.rewritten, paint: "bad" }], 10),
    columns({ title: "Calibration: share of right drafts by score", axis: "score", share: true, counts: s.labelled, line: threshold }, [{ name: "right at score", values: share(s.right, s.labelled), paint: "target" }], 10),
    columns({ title: "Acceptance: share of kept drafts by step", axis: "step in its track, from 0", share: true, counts: s.place_judged }, [{ name: "kept at step", values: share(s.place_kept, s.place_judged), paint: "place" }], last + 1));
  const total = (counts) => counts.reduce((a, b) => a + b, 0);
  const unanswered = run.label === "step check" ? 0 : total(s.kept) - total(s.labelled);
  document.getElementById("steps-note").textContent = `Right by ${run.label}.` + (unanswered ? ` ${unanswered} kept drafts of cancelled or failed tracks are neither right nor wrong.` : "") + (run.judging ? ` Dashed: the threshold, ${run.judging.score_threshold}; drafts from this score on are kept.` : "");
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
  const shown = kept.slice(0, rowsShown);
  const tables = [];
  for (let from = 0; from < shown.length; from += TABLE_ROWS) tables.push(heatTable(shown.slice(from, from + TABLE_ROWS), show));
  document.getElementById("heat").replaceChildren(...tables);
  document.getElementById("more").hidden = kept.length <= rowsShown;
  document.getElementById("f-count").textContent = `${kept.length} problems` + (show === "differ" ? "" : `, ${count} attempts`);
  const first = document.querySelector("#heat .cell:not(.m)");
  if (first) first.tabIndex = 0;
}

// A run's name above its squares: upright where they are many, else on its side.
function heatName(run) {
  const name = element("span", { class: run.repeats >= FLAT_REPEATS ? "flat" : "side" }, run.run);
  if (run.repeats >= FLAT_REPEATS) name.style.maxWidth = `${run.repeats * CELL_WIDTH}px`;
  return name;
}

function heatTable(ids, show) {
  const head = element("tr", {}, element("th", { scope: "col" }, element("span", { class: "side" }, "problem")), ...DATA.runs.map((run) => element("th", { scope: "col", title: run.run }, heatName(run))));
  const body = ids.map((id) => element("tr", {}, element("th", { scope: "row", title: id }, id), ...DATA.runs.map((run, r) => heatCells(run, r, id, show))));
  return element("table", { role: "grid", "aria-labelledby": "h-heat" }, element("thead", {}, head), element("tbody", {}, ...body));
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
  const rows = [...document.querySelectorAll("#heat tbody tr")];
  const row = cell.closest("tr");
  const line = rows.indexOf(row);
  const cells = [...row.querySelectorAll(".cell:not(.m)")];
  const at = cells.indexOf(cell);
  const lines = { ArrowUp: rows[line - 1], ArrowDown: rows[line + 1] };
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

document.getElementById("about").textContent = `${DATA.runs.length} runs on ${datasets.join(", ")}, made ${DATA.made}; costs and differences against ${DATA.baseline}.` + (DATA.runs.some((run) => run.hidden) ? " Problems and model texts of datasets whose authors ask for it are left out." : "");
document.getElementById("notes").textContent = DATA.notes;
document.getElementById("legend").append(...Object.entries(CODES).map(([code, name]) => element("span", { class: "legend" }, element("span", { class: `cell ${code}` }, MARKS[code]), " ", name)));
options("cost", COSTS.map(([name], at) => [at, name]));
const speculative = DATA.runs.map((run, at) => [at, run.run]).filter(([at]) => DATA.runs[at].steps.place_judged.some((n) => n > 0));
if (speculative.length) { document.getElementById("steps").hidden = false; options("steps-run", speculative); drawSteps(); }
drawBoard(); drawPairs(); drawGuided(); drawScatter(); drawOutcomes(); drawHeat();
document.getElementById("cost").addEventListener("change", drawScatter);
window.addEventListener("resize", drawScatter);
document.getElementById("steps-run").addEventListener("change", drawSteps);
for (const id of ["f-problem", "f-show"]) document.getElementById(id).addEventListener("input", () => { rowsShown = ROWS_AT_FIRST; drawHeat(); });
document.getElementById("more").addEventListener("click", () => { rowsShown += ROWS_AT_FIRST; drawHeat(); });
document.getElementById("heat").addEventListener("click", (event) => { const at = event.target.dataset.at; if (at) openTrace(...at.split(",").map(Number)); });
document.getElementById("heat").addEventListener("keydown", heatKey);
