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
