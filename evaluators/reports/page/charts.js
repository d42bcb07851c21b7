const SVG = "http://www.w3.org/2000/svg";
const PEN = document.createElement("canvas").getContext("2d");
PEN.font = "12px system-ui, sans-serif"; // that of the charts' text

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function canvas(width, height, label) {
  return shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
}

// Round numbers that cover `low` to `high`.
function ticks(low, high, wanted) {
  const rough = (high - low || 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999);
  const first = Math.floor(low / step + 1e-9);
  const made = [];
  for (let at = first; made.length < 2 || (at - 1) * step < high - step * 1e-9; at++) made.push(at * step);
  return made;
}

// An accuracy from 0 to 1 with its interval as a small picture.
function whisker(low, value, high) {
  const svg = canvas(110, 16, `${percent(low)} to ${percent(high)}`);
  const x = (share) => 5 + 100 * share;
  svg.append(shape("line", { x1: 5, x2: 105, y1: 8, y2: 8, class: "axis" }));
  for (const share of [0, 0.5, 1]) svg.append(shape("line", { x1: x(share), x2: x(share), y1: 4, y2: 12, class: "axis" }));
  if (low !== null) svg.append(shape("line", { x1: x(low), x2: x(high), y1: 8, y2: 8, class: "mark range" }));
  svg.append(shape("circle", { cx: x(value), cy: 8, r: 4, class: "mark" }), shape("title", {}, `${percent(low)} to ${percent(high)}, axis 0 to 100 %`));
  return svg;
}

// Runs that no other run beats in both accuracy and cost, cheapest first.
function paretoFront(points) {
  const front = [];
  let best = -1;
  for (const point of [...points].sort((a, b) => a.x - b.x || b.y - a.y)) {
    if (point.y > best) { front.push(point); best = point.y; }
  }
  return front;
}

const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

const gap = (box, p) => Math.hypot(Math.max(box.x - p.x, 0, p.x - box.x - box.w), Math.max(box.y - p.y, 0, p.y - box.y - box.h));

// The way from a point to a box that stands apart from it, as small boxes.
function leaderTo(box, p) {
  const end = { x: Math.min(Math.max(p.x, box.x), box.x + box.w), y: Math.min(Math.max(p.y, box.y), box.y + box.h) };
  const length = gap(box, p), dots = [];
  for (let at = 7; at < length - 2; at += 3) dots.push({ x: p.x + (end.x - p.x) * at / length - 1, y: p.y + (end.y - p.y) * at / length - 1, w: 2, h: 2 });
  return { end, dots };
}

// Where a point's name stands: beside it where that is free and no other point is about as near,
// else at the nearest free place, with a leader to the point. A name covers no mark and no name; a
// range, then a leader, and a leader crosses a name, only where there is no other place. Null: nowhere.
function labelPlace(own, others, width, taken, frame) {
  const { marks, names, leaders, ranges } = taken;
  const at = (x, y) => ({ x, y, w: width, h: 14 });
  const inside = (box) => box.x >= frame.left && box.x + width <= frame.right && box.y >= 0 && box.y + box.h <= frame.bottom;
  const free = (box, ...kinds) => !kinds.some((boxes) => boxes.some((other) => overlap(box, other)));
  const beside = [[9, -16], [9, 3], [-9 - width, -16], [-9 - width, 3]].map(([dx, dy]) => at(own.x + dx, own.y + dy));
  const clear = beside.find((box) => inside(box) && free(box, marks, names, leaders, ranges) && others.every((other) => gap(box, other) > gap(box, own) + 6));
  if (clear) return { box: clear, leader: null };
  const apart = [];
  for (let y = 0; y + 14 <= frame.bottom; y += 6) for (let x = frame.left; x + width <= frame.right; x += 8) apart.push(at(x, y));
  const nearest = apart.filter((box) => gap(box, own) > 14 && free(box, marks, names)).sort((a, b) => gap(a, own) - gap(b, own));
  for (const [ofName, ofLeader] of [[[leaders, ranges], [names, leaders]], [[leaders], [names, leaders]], [[], [names]], [[], []]]) {
    for (const box of nearest) {
      if (!free(box, ...ofName)) continue;
      const leader = leaderTo(box, own);
      if (leader.dots.every((dot) => free(dot, marks, ...ofLeader))) return { box, leader };
    }
  }
  return null;
}

const COLOURS = ["#0b62c4", "#c2410c", "#1a7f37", "#8250a8", "#b3126f", "#0e7490", "#8a6100", "#57606a"];
const colourOf = (index) => COLOURS[index % COLOURS.length];

// 1, 2 and 5 times powers of ten that cover `low` to `high`, which are above 0; fewer where many.
function logTicks(low, high) {
  const made = [];
  for (const steps of [[1, 2, 5], [1]]) {
    made.length = 0;
    for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)); power++) for (const step of steps) made.push(step * 10 ** power);
    const first = made.findLastIndex((tick) => tick <= low * (1 + 1e-9)), last = made.findIndex((tick) => tick >= high * (1 - 1e-9));
    made.splice(0, made.length, ...made.slice(first, Math.max(last, first + 1) + 1));
    if (made.length <= 7) break;
  }
  return made;
}

function scatter(points, costName, width, log = false) {
  const height = Math.round(Math.min(400, Math.max(260, width * 0.5)));
  const left = 50, right = 16, top = 34, bottom = 46;
  const svg = canvas(width, height, `accuracy against ${costName}`);
  const shares = ticks(Math.min(...points.map((p) => p.low ?? p.y)), Math.max(...points.map((p) => p.high ?? p.y)), 5).filter((share) => share > -0.001 && share < 1.001);
  const least = Math.min(...points.map((p) => p.x)), most = Math.max(...points.map((p) => p.x), 1e-12);
  const costs = log && least > 0 ? logTicks(least, most) : ticks(0, most, width < 500 ? 4 : 8);
  const onAxis = log && least > 0 ? Math.log : (v) => v;
  const [bottomShare, topShare] = [shares[0], shares.at(-1)];
  const x = (v) => left + (width - left - right) * (onAxis(v) - onAxis(costs[0])) / (onAxis(costs.at(-1)) - onAxis(costs[0]));
  const y = (v) => top + (height - top - bottom) * (topShare - v) / (topShare - bottomShare);
  for (const share of shares) {
    svg.append(shape("line", { x1: left, x2: width - right, y1: y(share), y2: y(share), class: "axis" }));
    svg.append(shape("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end", class: "dim" }, percent(share, 0)));
  }
  for (const cost of costs) svg.append(shape("text", { x: x(cost), y: height - bottom + 18, "text-anchor": "middle", class: "dim" }, Number(cost.toPrecision(6)).toLocaleString("en")));
  svg.append(shape("text", { x: left, y: 11, class: "dim" }, "accuracy"));
  svg.append(shape("text", { x: width - right, y: height - 8, "text-anchor": "end", class: "dim" }, costName));
  svg.append(shape("polyline", { points: paretoFront(points).map((p) => `${x(p.x)},${y(p.y)}`).join(" "), class: "front" }));
  const letters = Math.round(width / 20);
  const title = { x: left, y: 0, w: PEN.measureText("accuracy").width, h: 14 };
  const places = points.map((p) => ({ x: x(p.x), y: y(p.y) }));
  const marks = places.map((at) => ({ x: at.x - 5, y: at.y - 5, w: 10, h: 10 }));
  const ranges = points.filter((p) => p.low !== null).map((p) => ({ x: x(p.x) - 2, y: y(p.high), w: 4, h: y(p.low) - y(p.high) }));
  const taken = { marks, names: [title], leaders: [], ranges };
  points.forEach((p, index) => {
    const own = places[index], point = shape("g", { class: "point" }), mark = shape("g", { style: `stroke: ${p.colour ?? COLOURS[0]}; fill: ${p.colour ?? COLOURS[0]}` });
    if (p.low !== null) mark.append(shape("line", { x1: own.x, x2: own.x, y1: y(p.low), y2: y(p.high), class: "range" }));
    mark.append(shape("circle", { cx: own.x, cy: own.y, r: 5 }));
    mark.append(shape("title", {}, `${p.name}: ${percent(p.y)} (${percent(p.low)} to ${percent(p.high)}) at ${fixed(p.x)}`));
    point.append(mark);
    svg.append(point);
    const name = p.name.length > letters ? p.name.slice(0, letters - 1) + "…" : p.name;
    const place = labelPlace(own, places.filter((_, other) => other !== index), PEN.measureText(name).width, taken, { left, right: width, bottom: height - bottom });
    if (!place) return; // too many runs to name all: the mark says its name when pointed at
    const { box, leader } = place;
    taken.names.push(box);
    if (leader) taken.leaders.push(...leader.dots);
    if (leader) point.append(shape("line", { x1: own.x, y1: own.y, x2: leader.end.x, y2: leader.end.y, class: "leader" }));
    point.append(shape("text", { x: box.x, y: box.y + 11 }, name));
  });
  return svg;
}

// Stacked or single bars over numbered places. `series` are {name, values, paint}; with `share` the
// values are shares of 1 and null where there is nothing to share. `line` is a place marked across.
function columns(about, series, count) {
  const width = 360, height = 216, left = 14, right = 10, bottom = 46, top = 30;
  const svg = canvas(width, height, about.title);
  const totals = Array.from({ length: count }, (_, i) => series.reduce((sum, s) => sum + (s.values[i] || 0), 0));
  const most = about.share ? 1 : Math.max(...totals, 1);
  const step = (width - left - right) / count;
  const middle = (i) => left + (i + .5) * step;
  svg.append(shape("line", { x1: left, x2: width - right, y1: height - bottom, y2: height - bottom, class: "axis" }));
  for (let i = 0; i < count; i++) {
    let base = height - bottom;
    for (const s of series) {
      const high = (s.values[i] || 0) / most * (height - top - bottom);
      base -= high;
      const bar = shape("rect", { x: left + i * step + 1, y: base, width: Math.max(1, step - 2), height: high, class: s.paint });
      bar.append(shape("title", {}, `${s.name} ${i}: ${about.share ? percent(s.values[i]) : s.values[i]}${about.counts ? ` of ${about.counts[i]}` : ""}`));
      svg.append(bar);
    }
    const ends = about.intervals?.[i];
    if (ends && about.counts?.[i]) {
      const y = (share) => height - bottom - share * (height - top - bottom);
      const whisk = shape("line", { x1: middle(i), x2: middle(i), y1: y(ends[0]), y2: y(ends[1]), class: "whisk" });
      whisk.append(shape("title", {}, `95 % interval ${percent(ends[0])} to ${percent(ends[1])}`));
      svg.append(whisk);
      base = Math.min(base, y(ends[1]));
    }
    const known = about.share ? series[0].values[i] !== null : totals[i] > 0;
    if (known && step > 24) svg.append(shape("text", { x: middle(i), y: base - 4, "text-anchor": "middle", class: "dim small" }, about.share ? percent(totals[i], 0).replace(" ", "") : totals[i].toLocaleString("en")));
    if (about.counted && about.counts[i]) svg.append(shape("text", { x: middle(i), y: height - bottom + 26, "text-anchor": "middle", class: "dim small" }, about.counts[i].toLocaleString("en")));
    if (step > 17 || i % 5 === 0) svg.append(shape("text", { x: middle(i), y: height - bottom + 15, "text-anchor": "middle", class: "dim" }, String(i)));
  }
  if (about.line !== null && about.line !== undefined) {
    const at = left + about.line * step;
    svg.append(shape("line", { x1: at, x2: at, y1: top - 8, y2: height - bottom, class: "front" }));
  }
  svg.append(shape("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle", class: "dim" }, about.axis));
  return element("figure", {}, element("figcaption", {}, about.title), svg);
}
