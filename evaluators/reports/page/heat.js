// The map of attempts: a row a problem, a square an attempt, and what of it is shown.
const ROWS_AT_FIRST = 200;
const TABLE_ROWS = 25;
const FLAT_REPEATS = 4;
const CELL_WIDTH = 17; // pixels
const CODES = { c: "correct", w: "wrong", n: "no answer", u: "ungradable", e: "error", m: "missing" };
const MARKS = { c: "", w: "×", n: "?", u: "~", e: "!", m: "" };
const FLAGS = { truncated: 1, repeated: 2, lost: 4, kept: 8, rewritten: 16 };

const problems = [...new Set(DATA.runs.flatMap((run) => run.problem_ids))];
const index = DATA.runs.map((run) => new Map(run.problem_ids.map((id, at) => [id, at])));
let rowsShown = ROWS_AT_FIRST;

// Shares of right attempts at a problem: of each run that has it, and their mean, which says how hard
// it is. Worked out once.
const SHARES = new Map(problems.map((id) => [id, DATA.runs.map((run, r) => index[r].has(id) ? [...run.codes[index[r].get(id)]].filter((code) => code === "c").length / run.repeats : null).filter((share) => share !== null)]));
const meanOf = (id) => SHARES.get(id).reduce((sum, share) => sum + share, 0) / SHARES.get(id).length;
const spreadOf = (id) => Math.max(...SHARES.get(id)) - Math.min(...SHARES.get(id));
const ORDERS = { set: null, hard: (a, b) => meanOf(a) - meanOf(b), easy: (a, b) => meanOf(b) - meanOf(a), unequal: (a, b) => spreadOf(b) - spreadOf(a) };

// What the filters ask for.
function asked() {
  const value = (id) => document.getElementById(id)?.value ?? "";
  const groups = Object.keys(GROUPED).map((kind) => [kind, value(`f-${kind}`)]).filter(([, name]) => name);
  return { show: value("f-show"), problem: value("f-problem").trim(), answer: value("f-answer").trim(), kind: value("f-kind"), groups, order: value("f-order") };
}

const GROUPED = Object.fromEntries(Object.entries(DATA.groups).filter(([, names]) => names.length));
let found = null; // the attempts in whose output a text was found, by "run,problem,repeat"

function matches(wanted, run, r, at, j) {
  const code = run.codes[at][j], { show } = wanted;
  if (found && !found.has(`${r},${at},${j}`)) return false;
  if (wanted.answer && run.answers[at][j] !== wanted.answer) return false;
  if (show === "all") return true;
  if (show === "differ") return code !== "m";
  if (show === "wrong") return code !== "c" && code !== "m";
  if (show in FLAGS) return (parseInt(run.flags[at][j], 36) & FLAGS[show]) !== 0;
  return code === show;
}

// Whether a problem is of the kind and in the groups that are asked for, by any run that knows.
function isAskedFor(id, wanted) {
  if (wanted.problem && !id.includes(wanted.problem)) return false;
  if (wanted.show === "differ" && new Set(SHARES.get(id)).size < 2) return false;
  const says = (test) => DATA.runs.some((run, r) => index[r].has(id) && test(run, index[r].get(id)));
  if (wanted.kind && !says((run, at) => run.kinds[at] === wanted.kind)) return false;
  return wanted.groups.every(([kind, name]) => says((run, at) => run.in_groups[kind]?.[at] === name));
}

function drawHeat() {
  const wanted = asked();
  let count = 0;
  const kept = problems.filter((id) => {
    if (!isAskedFor(id, wanted)) return false;
    const hits = DATA.runs.reduce((sum, run, r) => {
      const at = index[r].get(id);
      return at === undefined ? sum : sum + [...run.codes[at]].filter((_, j) => matches(wanted, run, r, at, j)).length;
    }, 0);
    count += hits;
    return hits > 0;
  });
  if (ORDERS[wanted.order]) kept.sort(ORDERS[wanted.order]);
  const shown = kept.slice(0, rowsShown);
  const tables = [];
  for (let from = 0; from < shown.length; from += TABLE_ROWS) tables.push(heatTable(shown.slice(from, from + TABLE_ROWS), wanted));
  document.getElementById("heat").replaceChildren(...tables);
  document.getElementById("more").hidden = kept.length <= rowsShown;
  document.getElementById("f-count").textContent = `${kept.length} problems, ${count} attempts`;
  const first = document.querySelector("#heat .cell:not(.m)");
  if (first) first.tabIndex = 0;
}

// Looks through the texts of all attempts, a block at a time; a later search ends an earlier one.
let searching = 0;
async function searchOutputs() {
  const text = document.getElementById("f-text").value.toLowerCase();
  const status = document.getElementById("f-searched");
  const mine = ++searching;
  found = null;
  status.textContent = "";
  if (!text) { drawHeat(); return; }
  const byBlock = new Map();
  DATA.runs.forEach((run, r) => run.places.forEach((places, at) => { for (let j = 0; j < run.repeats; j++) if (run.codes[at][j] !== "m") { if (!byBlock.has(places[2 * j])) byBlock.set(places[2 * j], []); byBlock.get(places[2 * j]).push([places[2 * j + 1], `${r},${at},${j}`]); } }));
  const hits = new Set();
  let done = 0;
  for (const [number, attempts] of byBlock) {
    status.textContent = `searching, ${Math.round(100 * done++ / byBlock.size)} %`;
    const texts = await passingBlock(number).catch((error) => { status.textContent = error.message; return null; });
    if (mine !== searching || !texts) return;
    for (const [at, key] of attempts) if (texts[at].tracks.some((track) => track.steps.some((step) => step.text?.toLowerCase().includes(text) || step.draft?.toLowerCase().includes(text)))) hits.add(key);
    await new Promise((resolve) => setTimeout(resolve));
  }
  found = hits;
  status.textContent = `${hits.size} attempts hold it${DATA.runs.some((run) => run.hidden) ? "; texts that are left out were not searched" : ""}`;
  drawHeat();
}

// A run's name above its squares: upright where they are many, else on its side.
function heatName(run) {
  const name = element("span", { class: run.repeats >= FLAT_REPEATS ? "flat" : "side" }, run.run);
  if (run.repeats >= FLAT_REPEATS) name.style.maxWidth = `${run.repeats * CELL_WIDTH}px`;
  return name;
}

function heatTable(ids, wanted) {
  const head = element("tr", {}, element("th", { scope: "col" }, element("span", { class: "side" }, "problem")), element("th", { scope: "col", title: "the mean share of right attempts over all runs" }, element("span", { class: "side" }, "mean")), ...DATA.runs.map((run) => element("th", { scope: "col", title: run.run }, heatName(run))));
  const body = ids.map((id) => element("tr", {}, element("th", { scope: "row", title: id }, id), element("td", { class: "mean" }, percent(meanOf(id), 0).replace(" ", "\u00a0")), ...DATA.runs.map((run, r) => heatCells(run, r, id, wanted))));
  return element("table", { role: "grid", "aria-labelledby": "h-heat" }, element("thead", {}, head), element("tbody", {}, ...body));
}

function heatCells(run, r, id, wanted) {
  const at = index[r].get(id);
  const box = element("td", { role: "gridcell" });
  if (at === undefined) return box;
  for (let j = 0; j < run.repeats; j++) {
    const code = run.codes[at][j], flag = parseInt(run.flags[at][j], 36);
    const said = Object.keys(FLAGS).filter((name) => flag & FLAGS[name]);
    const cell = document.createElement("span");
    cell.className = `cell ${code}` + (matches(wanted, run, r, at, j) ? "" : " faint");
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
