const OUTCOMES = { correct: "#1a7f37", "vote lost": "#d97706", wrong: "#c62828", "all tracks wrong": "#c62828", "no answer": "#8250a8", truncated: "#0b62c4", repeated: "#0e7490", ungradable: "#9a6700", error: "#57606a", missing: "#b0b8c0" };

const perHour = () => Number(document.getElementById("price").value) || 0;
const COSTS = [
  ["GFLOPs total", (r) => giga(r.flops_total)], ["GFLOPs decode", (r) => giga(r.flops_decode)],
  ["tokens of all models", (r) => (r.target_tokens === null ? null : r.roles.reduce((sum, role) => sum + (r[`${role}_tokens`] ?? 0), 0))], ["target tokens", (r) => r.target_tokens],
  ["seconds p50", (r) => r.seconds_p50], ["seconds of the machine", (r) => r.machine_seconds],
  ["US$", (r) => r.dollars ?? (r.machine_seconds === null || !perHour() ? null : r.machine_seconds / 3600 * perHour())],
];
const firstKnownCost = () => Math.max(0, COSTS.findIndex(([, cost]) => DATA.runs.some((run) => cost(run) !== null)));
const LOG_FROM = 10; // from this ratio of the dearest to the cheapest on, the axis begins logarithmic
let logChosen = false;

function drawScatter() {
  const [name, cost] = COSTS[document.getElementById("cost").value];
  const points = DATA.runs.map((r, at) => ({ name: r.run, x: cost(r), y: r.accuracy, low: r.population_low, high: r.population_high, colour: colourOf(at) })).filter((p) => p.x !== null);
  const log = document.getElementById("log");
  const costs = points.map((p) => p.x);
  log.disabled = !(Math.min(...costs) > 0);
  if (!logChosen) log.checked = !log.disabled && Math.max(...costs) >= LOG_FROM * Math.min(...costs);
  const unpriced = name === "US$" && DATA.runs.some((r) => r.dollars === null);
  document.getElementById("price-label").hidden = !unpriced;
  const empty = unpriced && !perHour() ? "Give the price of an hour of the machine." : "No run knows this cost.";
  document.getElementById("scatter").replaceChildren(points.length ? scatter(points, `${name} per attempt`, Math.min(900, document.getElementById("scatter").clientWidth), log.checked) : empty);
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
    columns({ title: "Calibration: share of right drafts by score", axis: "score, and how many drafts", share: true, counts: s.labelled, counted: true, intervals: s.intervals, line: threshold }, [{ name: "right at score", values: share(s.right, s.labelled), paint: "target" }], 10),
    columns({ title: "Acceptance: share of kept drafts by step", axis: "step in its track, from 0, and how many drafts", share: true, counts: s.place_judged, counted: last < 12 }, [{ name: "kept at step", values: share(s.place_kept, s.place_judged), paint: "place" }], last + 1));
  const total = (counts) => counts.reduce((a, b) => a + b, 0);
  const unanswered = run.label === "step check" ? 0 : total(s.kept) - total(s.labelled);
  document.getElementById("steps-note").textContent = `Right by ${run.label}; lines are 95 % intervals of the share, the steps of a problem as one cluster.` + (unanswered ? ` ${unanswered} kept drafts of cancelled or failed tracks are neither right nor wrong.` : "") + (run.judging ? ` Dashed: the threshold, ${run.judging.score_threshold}; drafts from this score on are kept.` : "");
}

function options(id, names) {
  document.getElementById(id).append(...names.map(([value, name]) => element("option", { value }, name)));
}

function drawGuided() {
  const rows = DATA.runs.flatMap((run) => run.guided.map((one) => ({ run, ...one })));
  document.getElementById("guided-section").hidden = rows.length === 0;
  const columns = [
    { head: "run", value: (one) => one.run.run, show: (one) => runName(one.run), text: true, worth: 0 }, { head: "role or method", value: (one) => one.name, show: (one) => one.name, text: true, fold: true, worth: 0 },
    { head: "tracks", value: (one) => one.tracks, show: (one) => String(one.tracks), worth: 2 }, { head: "correct", value: (one) => one.correct, show: (one) => String(one.correct), worth: 3 }, { head: "accuracy", value: (one) => one.accuracy, show: (one) => percent(one.accuracy), worth: 0 },
  ];
  return rows.length ? [new ReaderTable(document.getElementById("guided"), { columns, rows })] : [];
}

// The tables of a report, above its runs; below them where those have the accuracies already.
function drawParts() {
  if (DATA.parts.length && DATA.parts[0].title !== "Accuracy") document.getElementById("groups").before(document.getElementById("parts"));
  return DATA.parts.map((part) => {
    const place = element("div", {});
    document.getElementById("parts").append(element("section", { "aria-label": part.title }, element("h2", {}, part.title), place, ...part.notes.map((note) => element("p", { class: "note" }, note))));
    const columns = part.columns.map(({ head, worth }, at) => ({ head, worth, value: null, show: (line) => line[at], text: at < part.texts, fold: at > 0 && at < part.texts, lines: at >= part.texts }));
    return new ReaderTable(place, { columns, rows: part.lines });
  });
}

function drawTables() {
  const parts = drawParts();
  const board = new ReaderTable(document.getElementById("board"), { columns: RUN_COLUMNS, rows: DATA.runs, sorted: { column: "accuracy", down: true } });
  const grouped = groupTables().map(([kind, columns, rows]) => {
    const place = element("div", {});
    document.getElementById("groups").append(element("section", { "aria-label": `accuracy by ${kind}` }, element("h2", {}, `Accuracy by ${kind}`), place, element("p", { class: "note" }, "Each with its 95 % interval over the population of such problems. Among many groups some look different by chance.")));
    return new ReaderTable(place, { columns, rows });
  });
  const pairs = DATA.comparisons.length ? [new ReaderTable(document.getElementById("pairs"), { columns: pairColumns(), rows: DATA.comparisons, long: (one) => one.refused })] : [];
  if (DATA.compared_above) document.getElementById("pairs").parentElement.remove();
  else document.getElementById("pairs").append(...(DATA.comparisons.length ? DATA.comparisons.flatMap((one) => (one.warnings ?? []).map((text) => element("p", { class: "note" }, `warning: ${one.second}: ${text}`))) : ["There is only one run."]));
  return [...parts, board, ...grouped, ...pairs, ...drawGuided()];
}

const zero = RUN_COLUMNS.filter((column) => column.worth === 90).map((column) => column.head);
document.getElementById("about").textContent = `${DATA.runs.length} runs on ${datasets.join(", ")}${labels.length === 1 ? `, ${labels[0]}` : ""}, made ${DATA.made}; costs and differences against ${DATA.baseline}.` + (DATA.runs.some((run) => run.hidden) ? " Problems and model texts of datasets whose authors ask for it are left out." : "");
document.getElementById("notes").textContent = (zero.length ? `Zero in every run: ${zero.join(", ")}. ` : "") + "Costs are per attempt. A run’s name opens its settings." + (DATA.runs.some((run) => run.seen) ? " †: the problems are older than the release of a model, which may have seen them." : "");
document.getElementById("legend").append(...Object.entries(CODES).map(([code, name]) => element("span", { class: "legend" }, element("span", { class: `cell ${code}` }, MARKS[code]), " ", name)));
options("cost", COSTS.map(([name], at) => [at, name]));
document.getElementById("cost").value = firstKnownCost();
const speculative = DATA.runs.map((run, at) => [at, run.run]).filter(([at]) => DATA.runs[at].steps.place_judged.some((n) => n > 0));
if (speculative.length) { document.getElementById("steps").hidden = false; options("steps-run", speculative); drawSteps(); }
const tables = drawTables();
drawScatter(); drawOutcomes(); drawHeat();
for (const id of ["cost", "price"]) document.getElementById(id).addEventListener("input", drawScatter);
document.getElementById("log").addEventListener("change", () => { logChosen = true; drawScatter(); });
let pageWidth = window.innerWidth;
window.addEventListener("resize", () => { if (window.innerWidth !== pageWidth) { pageWidth = window.innerWidth; tables.forEach((one) => one.fit()); drawScatter(); } });
document.getElementById("steps-run").addEventListener("change", drawSteps);
// Filters that only some datasets have.
const kinds = [...new Set(DATA.runs.flatMap((run) => run.kinds))].filter(Boolean).sort();
for (const [name, values] of [["kind", kinds.length > 1 ? kinds : []], ...Object.entries(GROUPED)]) {
  if (!values.length) continue;
  document.getElementById("f-groups").append(element("label", {}, `${name[0].toUpperCase()}${name.slice(1)} `, element("select", { id: `f-${name}` }, element("option", { value: "" }, "all"), ...values.map((value) => element("option", { value }, value)))), " ");
}
document.getElementById("f-search").addEventListener("submit", (event) => { event.preventDefault(); searchOutputs(); });
document.getElementById("f-text").addEventListener("input", (event) => { if (!event.target.value) searchOutputs(); });
for (const id of ["f-problem", "f-answer", "f-show", "f-order", "f-groups"]) document.getElementById(id).addEventListener("input", () => { rowsShown = ROWS_AT_FIRST; drawHeat(); });
document.getElementById("more").addEventListener("click", () => { rowsShown += ROWS_AT_FIRST; drawHeat(); });
document.getElementById("heat").addEventListener("click", (event) => { const at = event.target.dataset.at; if (at) go(addressOf(...at.split(",").map(Number))); });
document.getElementById("heat").addEventListener("keydown", heatKey);
window.addEventListener("hashchange", route);
route();
