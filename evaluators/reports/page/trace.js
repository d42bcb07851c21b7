const dialog = document.getElementById("trace");
let opened = null;

const addressOf = (run, problem, repeat) => encoded(DATA.runs[run].run, DATA.runs[run].problem_ids[problem], repeat);

async function openTrace(run, problem, repeat) {
  const about = DATA.runs[run];
  const place = about.places[problem].slice(2 * repeat, 2 * repeat + 2);
  opened = { run, problem, repeat };
  document.getElementById("trace-title").textContent = `${about.run}: problem ${about.problem_ids[problem]}, repeat ${repeat}`;
  const body = document.getElementById("trace-body");
  body.replaceChildren("…");
  if (!dialog.open) dialog.showModal();
  try {
    const asked = about.statements[problem];
    const [trace, statement] = await Promise.all([stored(place), asked === null ? null : stored(asked)]);
    if (opened.run === run && opened.problem === problem && opened.repeat === repeat) body.replaceChildren(problemPart(statement, about), ...traceParts(trace, about));
    dialog.scrollTop = 0;
  } catch (error) {
    body.replaceChildren(error.message);
  }
}

const rawText = () => document.getElementById("raw").checked;

// What was asked, or why it is not there.
function problemPart(statement, about) {
  if (statement === null) return element("p", { class: "note" }, `The problem is not shown: ${about.hidden ? "its dataset's authors ask that examples not be revealed" : about.no_statement || "the dataset has no such problem"}.`);
  const part = element("section", { class: "problem", "aria-label": "problem" }, modelText(statement.problem, rawText()));
  if (statement.choices.length) part.append(element("ol", { type: "A" }, ...statement.choices.map((choice) => element("li", {}, modelText(choice, rawText())))));
  return part;
}

function fact(list, name, value) {
  if (value !== null && value !== undefined) list.append(element("dt", {}, name), element("dd", {}, value instanceof Node ? value : String(value).slice(0, SHOWN_CHARACTERS)));
}

// Tokens by model and use, as one line.
function usageText(usage) {
  const models = new Map();
  for (const [model, use, count] of usage) models.set(model, [...(models.get(model) || []), `${use.replace(/^draft_/, "")} ${count === null ? "unknown" : count.toLocaleString("en")}`]);
  return [...models].map(([model, uses]) => `${model}: ${uses.join(", ")}`).join(" · ");
}

// What colours and outlines mean, for traces that have them.
function traceLegend(trace, about) {
  const steps = trace.tracks.flatMap((track) => track.steps);
  if (!steps.some((step) => step.score !== null)) return null;
  return element("p", { class: "note" }, "Green edge: a step of the draft's; blue edge: of the target's. Drafts are right or wrong by " + about.label + ". Outlined: the score erred, a wrong draft was kept or a right one rejected.");
}

function traceParts(trace, about) {
  const raw = rawText();
  const facts = element("dl", { class: "facts" });
  const verdict = element("span", { class: trace.verdict === "correct" ? "right" : "wrong" }, trace.verdict);
  fact(facts, "verdict", element("span", {}, verdict, ` by ${trace.rule}, stopped: ${trace.stop === null ? "unknown" : trace.stop}`));
  fact(facts, "answer", trace.extracted === null ? "none" : answerText(trace.extracted, raw));
  fact(facts, "gold", answerText(trace.gold, raw));
  fact(facts, "error", trace.error);
  if (trace.vote) fact(facts, "vote", `${trace.vote.rule}: ${trace.vote.winner === null ? "nobody" : trace.vote.winner}${trace.vote.reason ? ", " + trace.vote.reason : ""}; classes ${trace.vote.classes.map((one) => one.join(" ")).join(" | ")}`);
  fact(facts, "tokens", usageText(trace.usage));
  fact(facts, "time", `${fixed(trace.seconds)} s, seed ${trace.seed === null ? "unknown" : trace.seed}`);
  const tracks = element("div", { class: "tracks" });
  for (const track of trace.tracks) tracks.append(trackPart(track, raw));
  return [facts, traceLegend(trace, about), tracks].filter((part) => part !== null);
}

function trackPart(track, raw) {
  const right = track.verdict === "correct";
  const title = element("h3", {}, `track ${track.id}${track.guidance ? " · " + track.guidance : ""} · ${track.stop === null ? "end unknown" : track.stop} · `,
    element("span", { class: right ? "right" : "wrong" }, track.answer === null ? "no answer" : answerText(String(track.answer).slice(0, 200), raw), ` (${track.verdict})`));
  const part = element("section", { class: "track" }, title);
  for (const step of track.steps) part.append(stepPart(step, raw));
  for (const note of track.notes) part.append(element("p", { class: "note" }, "note: " + note));
  return part;
}

function stepPart(step, raw) {
  const suspect = step.right !== null && step.rewritten === step.right;
  const part = element("div", { class: `step ${step.author}${suspect ? " suspect" : ""}` });
  part.append(modelText(step.text, raw));
  const meta = element("div", { class: "meta" }, element("span", { class: "author" }, step.author), ` · ${step.tokens === null ? "–" : step.tokens} tokens · ${fixed(step.seconds)} s`);
  if (step.score !== null) meta.append(` · score ${fixed(step.score, 1)} · ${step.rewritten ? "draft rejected" : "kept"}`);
  if (step.right !== null) meta.append(" · ", element("span", { class: step.right ? "right" : "wrong" }, `${step.rewritten ? "draft " : ""}${step.right ? "right" : "wrong"}`));
  part.append(meta);
  if (step.draft !== null) part.append(element("details", {}, element("summary", {}, "rejected draft"), modelText(step.draft, raw, "rejected")));
  return part;
}

function moveTrace(by) {
  const cells = [...document.querySelectorAll("#heat .cell:not(.m):not(.faint)")];
  const now = cells.findIndex((cell) => cell.dataset.at === `${opened.run},${opened.problem},${opened.repeat}`);
  const next = cells[now + by];
  if (next) location.replace(`#${addressOf(...next.dataset.at.split(",").map(Number))}`);
}

document.getElementById("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => forget());
document.getElementById("previous").addEventListener("click", () => moveTrace(-1));
document.getElementById("next").addEventListener("click", () => moveTrace(1));
document.getElementById("raw").addEventListener("change", () => openTrace(opened.run, opened.problem, opened.repeat));
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") moveTrace(event.key === "ArrowLeft" ? -1 : 1);
});
