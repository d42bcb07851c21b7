const DATA = JSON.parse(document.getElementById("data").textContent);
// Blocks of traces lie in the page as JSON, or beside it as scripts that call speclrmBlock.
const blocks = new Map();
const waiting = new Map();
const NONCE = document.currentScript.nonce;

window.speclrmBlock = (number, content) => {
  blocks.set(number, content);
  const resolve = waiting.get(number);
  if (resolve) resolve(content);
};

function block(number) {
  if (blocks.has(number)) return Promise.resolve(blocks.get(number));
  const inline = document.getElementById(`block-${number}`);
  if (inline) {
    blocks.set(number, JSON.parse(inline.textContent));
    return Promise.resolve(blocks.get(number));
  }
  return new Promise((resolve, reject) => {
    waiting.set(number, resolve);
    const script = element("script", { src: `${encodeURIComponent(DATA.traces)}/${number}.js` });
    script.nonce = NONCE;
    script.addEventListener("error", () => reject(new Error(`The file ${DATA.traces}/${number}.js is missing; keep that folder beside this page.`)));
    document.head.append(script);
  });
}

const dialog = document.getElementById("trace");
let opened = null;

async function openTrace(run, problem, repeat) {
  const about = DATA.runs[run];
  const place = about.places[problem].slice(2 * repeat, 2 * repeat + 2);
  opened = { run, problem, repeat };
  document.getElementById("trace-title").textContent = `${about.run}: problem ${about.problem_ids[problem]}, repeat ${repeat}`;
  const body = document.getElementById("trace-body");
  body.replaceChildren("…");
  if (!dialog.open) dialog.showModal();
  try {
    const trace = (await block(place[0]))[place[1]];
    if (opened.run === run && opened.problem === problem && opened.repeat === repeat) body.replaceChildren(...traceParts(trace, about));
  } catch (error) {
    body.replaceChildren(error.message);
  }
}

function fact(list, name, value) {
  if (value !== null && value !== undefined) list.append(element("dt", {}, name), element("dd", {}, String(value).slice(0, SHOWN_CHARACTERS)));
}

function traceParts(trace, about) {
  const raw = document.getElementById("raw").checked;
  const facts = element("dl", { class: "facts" });
  fact(facts, "verdict", `${trace.verdict} (${trace.rule}), stopped: ${trace.stop === null ? "unknown" : trace.stop}`);
  fact(facts, "answer", trace.extracted === null ? "none" : trace.extracted);
  fact(facts, "gold", trace.gold);
  fact(facts, "error", trace.error);
  if (trace.vote) fact(facts, "vote", `${trace.vote.rule}: ${trace.vote.winner === null ? "nobody" : trace.vote.winner}${trace.vote.reason ? ", " + trace.vote.reason : ""}; classes ${trace.vote.classes.map((one) => one.join(" ")).join(" | ")}`);
  fact(facts, "tokens", trace.usage.map(([model, use, count]) => `${model} ${use} ${count.toLocaleString("en")}`).join(", "));
  fact(facts, "time", `${fixed(trace.seconds)} s, seed ${trace.seed === null ? "unknown" : trace.seed}`);
  const tracks = element("div", { class: "tracks" });
  for (const track of trace.tracks) tracks.append(trackPart(track, raw, about));
  return [facts, tracks];
}

function trackPart(track, raw, about) {
  const right = track.verdict === "correct";
  const title = element("h3", {}, `track ${track.id}${track.guidance ? " · " + track.guidance : ""} · ${track.stop === null ? "end unknown" : track.stop} · `,
    element("span", { class: right ? "right" : "wrong" }, `${track.answer === null ? "no answer" : String(track.answer).slice(0, 200)} (${track.verdict})`));
  const part = element("section", { class: "track" }, title);
  for (const step of track.steps) part.append(stepPart(step, raw, about));
  for (const note of track.notes) part.append(element("p", { class: "note" }, "note: " + note));
  return part;
}

function stepPart(step, raw, about) {
  const suspect = step.right !== null && step.rewritten === step.right;
  const part = element("div", { class: `step ${step.author}${suspect ? " suspect" : ""}` });
  part.append(modelText(step.text, raw));
  const meta = element("div", { class: "meta" }, element("span", { class: "author" }, step.author), ` · ${step.tokens === null ? "–" : step.tokens} tokens · ${fixed(step.seconds)} s`);
  if (step.score !== null) meta.append(` · score ${fixed(step.score, 1)} · draft ${step.rewritten ? "rejected" : "kept"}`);
  if (step.right !== null) meta.append(" · ", element("span", { class: step.right ? "right" : "wrong" }, `draft ${step.right ? "right" : "wrong"} (by ${about.label})`));
  part.append(meta);
  if (step.draft !== null) part.append(element("details", {}, element("summary", {}, "rejected draft"), modelText(step.draft, raw, "rejected")));
  return part;
}

function moveTrace(by) {
  const cells = [...document.querySelectorAll("#heat .cell:not(.m):not(.faint)")];
  const now = cells.findIndex((cell) => cell.dataset.at === `${opened.run},${opened.problem},${opened.repeat}`);
  const next = cells[now + by];
  if (next) openTrace(...next.dataset.at.split(",").map(Number));
}

document.getElementById("close").addEventListener("click", () => dialog.close());
document.getElementById("previous").addEventListener("click", () => moveTrace(-1));
document.getElementById("next").addEventListener("click", () => moveTrace(1));
document.getElementById("raw").addEventListener("change", () => openTrace(opened.run, opened.problem, opened.repeat));
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") moveTrace(event.key === "ArrowLeft" ? -1 : 1);
});
