const dialog = document.getElementById("trace");
let opened = null;

const addressOf = (run, problem, repeat) => encoded(DATA.runs[run].run, DATA.runs[run].problem_ids[problem], repeat);

async function openTrace(run, problem, repeat, beside = null) {
  const about = DATA.runs[run];
  const others = DATA.runs.map((one, at) => [at, one]).filter(([at, one]) => at !== run && one.problem_ids.includes(about.problem_ids[problem]));
  opened = { run, problem, repeat, beside: others.some(([at]) => at === beside) ? beside : null };
  const mine = opened;
  document.getElementById("trace-title").textContent = `${about.run}: problem ${about.problem_ids[problem]}, repeat ${repeat}`;
  const choice = document.getElementById("beside");
  choice.replaceChildren(element("option", { value: "" }, "nothing"), ...others.map(([at, one]) => element("option", { value: at }, one.run)));
  choice.value = mine.beside ?? "";
  const body = document.getElementById("trace-body");
  body.replaceChildren("…");
  if (!dialog.open) dialog.showModal();
  try {
    const asked = about.statements[problem];
    const statement = asked === null ? null : await stored(asked);
    const parts = await attemptParts(about, problem, repeat, statement);
    const second = mine.beside === null ? null : await besideParts(DATA.runs[mine.beside], about.problem_ids[problem], repeat);
    if (opened !== mine) return;
    const shown = second ? [element("div", { class: "two" }, element("section", { "aria-label": about.run }, element("h3", {}, about.run), ...parts), second)] : parts;
    body.replaceChildren(problemPart(statement, about), ...shown);
    dialog.scrollTop = 0;
  } catch (error) {
    body.replaceChildren(error.message);
  }
}

async function attemptParts(about, problem, repeat, statement) {
  const trace = await stored(about.places[problem].slice(2 * repeat, 2 * repeat + 2));
  return [...traceParts(trace, about), promptPart(trace, statement)].filter(Boolean);
}

// The same problem in another run: the same repeat, or its first where it has not so many.
async function besideParts(other, id, repeat) {
  const at = other.problem_ids.indexOf(id);
  const there = other.codes[at][repeat] && other.codes[at][repeat] !== "m" ? repeat : [...other.codes[at]].findIndex((code) => code !== "m");
  const parts = there < 0 ? [element("p", { class: "note" }, "This run has no attempt at the problem.")] : await attemptParts(other, at, there, null);
  return element("section", { "aria-label": other.run }, element("h3", {}, `${other.run}${there > 0 || there !== repeat ? `, repeat ${there}` : ""}`), ...parts);
}

// The task as its templates render it, where they still are those of the attempt.
function promptPart(trace, statement) {
  if (!statement?.prompt || !trace.prompted) return null;
  return element("details", { class: "prompt" }, element("summary", {}, "the prompt as it was rendered, before the model’s chat template and without the guidance of a role or method"), modelText(statement.prompt, true));
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

// Tokens by model and use, and the passes that gave them unless each gave one, as one line.
function usageText(usage) {
  const models = new Map();
  for (const [model, use, count, forwards] of usage) {
    const passes = forwards && forwards !== count ? ` in ${forwards.toLocaleString("en")} forwards` : "";
    models.set(model, [...(models.get(model) || []), `${use.replace(/^draft_/, "")} ${count === null ? "unknown" : count.toLocaleString("en")}${passes}`]);
  }
  return [...models].map(([model, uses]) => `${model}: ${uses.join(", ")}`).join(" · ");
}

// Who won and why, and which tracks agreed with each other.
function votePart({ rule, winner, reason, classes }, raw) {
  const agreed = classes.map((tracks) => tracks.join(" and ")).join(" against ");
  return element("span", {}, `${rule}: `, winner === null ? "nobody" : answerText(winner, raw), reason ? ", " : "", reason ? answerWords(reason, raw) : "", classes.length ? ` (tracks ${agreed})` : "");
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
  if (trace.vote) fact(facts, "vote", votePart(trace.vote, raw));
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
  if (step.score !== null) meta.append(` · score ${fixed(step.score, 1)}${step.rewritten ? " · draft rejected" : step.author === "draft" ? " · kept" : ""}`);
  if (step.right !== null) meta.append(" · ", element("span", { class: step.right ? "right" : "wrong" }, `${step.rewritten ? "draft " : ""}${step.right ? "right" : "wrong"}`));
  part.append(meta);
  if (step.draft !== null) part.append(element("details", {}, element("summary", {}, "rejected draft"), modelText(step.draft, raw, "rejected")));
  return part;
}

function moveTrace(by) {
  const cells = [...document.querySelectorAll("#heat .cell:not(.m):not(.faint)")];
  const now = cells.findIndex((cell) => cell.dataset.at === `${opened.run},${opened.problem},${opened.repeat}`);
  const next = cells[now + by];
  if (next) location.replace(`#${addressOf(...next.dataset.at.split(",").map(Number))}${opened.beside === null ? "" : "/" + encoded(DATA.runs[opened.beside].run)}`);
}

document.getElementById("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => forget());
document.getElementById("previous").addEventListener("click", () => moveTrace(-1));
document.getElementById("next").addEventListener("click", () => moveTrace(1));
document.getElementById("raw").addEventListener("change", () => openTrace(opened.run, opened.problem, opened.repeat, opened.beside));
document.getElementById("beside").addEventListener("change", (event) => location.replace(`#${addressOf(opened.run, opened.problem, opened.repeat)}${event.target.value === "" ? "" : "/" + encoded(DATA.runs[event.target.value].run)}`));
dialog.addEventListener("keydown", (event) => {
  if (event.target.tagName !== "SELECT" && (event.key === "ArrowLeft" || event.key === "ArrowRight")) moveTrace(event.key === "ArrowLeft" ? -1 : 1);
});
