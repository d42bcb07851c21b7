"use strict";
// Model text is untrusted: it reaches the page only as text nodes, or through KaTeX with trust off.
const SHOWN_CHARACTERS = 20000;
const LONGEST_FORMULA = 1500;
const BIDI = /[\u202a-\u202e\u2066-\u2069]/g;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "class") made.className = value; else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const OPENERS = [["$$", "$$", true], ["\\[", "\\]", true], ["\\(", "\\)", false], ["$", "$", false]];

// The formula that starts at `start`, as {tex, end, display}, or null. Looks a bounded way ahead.
function formulaAt(text, start) {
  if (text.startsWith("\\boxed{", start)) {
    const end = closingBrace(text, start + 6);
    return end < 0 ? null : { tex: text.slice(start, end + 1), end: end + 1, display: false };
  }
  for (const [open, close, display] of OPENERS) {
    if (!text.startsWith(open, start)) continue;
    const from = start + open.length;
    const within = text.slice(from, from + LONGEST_FORMULA);
    const length = within.indexOf(close);
    if (length <= 0) return null;
    const tex = within.slice(0, length);
    if (open === "$" && (/^\s|\s$|\n/.test(tex))) return null;
    return { tex, end: from + length + close.length, display };
  }
  return null;
}

function closingBrace(text, open) {
  let depth = 0;
  const last = Math.min(text.length, open + LONGEST_FORMULA);
  for (let i = open; i < last; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "{") depth++;
    else if (text[i] === "}" && --depth === 0) return i;
  }
  return -1;
}

// A formula set by KaTeX, or `source` where KaTeX refuses it.
function formulaPart(tex, display, source) {
  const place = element("span", {});
  try {
    katex.render(tex, place, { displayMode: display, throwOnError: true, trust: false, strict: "ignore", maxExpand: 100, maxSize: 20 });
  } catch (error) {
    place.textContent = source;
  }
  return place;
}

// An answer, which is a formula without delimiters if it has a command in it.
function answerText(answer, raw) {
  const text = String(answer).replace(BIDI, "\ufffd");
  const formula = !raw && text.length <= LONGEST_FORMULA && /\\[a-zA-Z]/.test(text);
  return formula ? formulaPart(text, false, text) : element("span", {}, text.slice(0, SHOWN_CHARACTERS));
}

// Words with answers in them: a formula without delimiters reaches from its command to the next space
// outside braces.
function answerWords(text, raw) {
  const made = element("span", {});
  for (const part of String(text).split(/((?:[^\s{}]|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})+)/)) made.append(/\\[a-zA-Z]/.test(part) ? answerText(part, raw) : part.replace(BIDI, "\ufffd"));
  return made;
}

// A mark between tags that models write, such as the end of their thinking, shown as what it is.
const THOUGHT = /<\/?think>/g;
const MARKS_OF_THOUGHT = { "<think>": "thinking begins", "</think>": "thinking ends" };

function renderMath(into, text) {
  let from = 0;
  for (const mark of text.matchAll(THOUGHT)) {
    renderFormulas(into, text.slice(from, mark.index));
    into.append(element("span", { class: "thought", title: mark[0] }, MARKS_OF_THOUGHT[mark[0]]));
    from = mark.index + mark[0].length;
  }
  renderFormulas(into, text.slice(from));
}

function renderFormulas(into, text) {
  let plain = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== "$" && text[i] !== "\\") continue;
    const formula = formulaAt(text, i);
    if (!formula) { if (text[i] === "\\" || text.startsWith("$$", i)) i++; continue; }
    into.append(text.slice(plain, i));
    into.append(formulaPart(formula.tex, formula.display, text.slice(i, formula.end)));
    plain = formula.end;
    i = plain - 1;
  }
  into.append(text.slice(plain));
}

// A box of model text; long text is cut until asked for.
function modelText(text, raw, extra) {
  const box = element("div", { class: "model" + (extra ? " " + extra : ""), dir: "auto" });
  if (text === null) { box.append("(not shown: the dataset's authors ask that examples not be revealed)"); return box; }
  const clean = raw ? text.replace(BIDI, "\ufffd") : text.replace(BIDI, "\ufffd").trimEnd();
  const fill = (part) => { if (raw) box.append(part); else renderMath(box, part); };
  fill(clean.slice(0, SHOWN_CHARACTERS));
  if (clean.length > SHOWN_CHARACTERS) {
    const rest = clean.length - SHOWN_CHARACTERS;
    const button = element("button", { type: "button" }, `… ${rest.toLocaleString("en")} more characters`);
    button.addEventListener("click", () => { button.remove(); box.append(clean.slice(SHOWN_CHARACTERS)); });
    box.append(button);
  }
  return box;
}

const percent = (share, digits = 1) => share === null || share === undefined ? "–" : (100 * share).toFixed(digits) + " %";
const fixed = (value, digits = 2) => value === null || value === undefined ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
