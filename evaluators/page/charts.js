const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function canvas(width, height, label) {
  return shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
}

// An accuracy from 0 to 1 with its interval as a small picture.
function whisker(low, value, high) {
  const svg = canvas(110, 16, `${percent(low)} to ${percent(high)}`);
  const x = (share) => 5 + 100 * share;
  svg.append(shape("line", { x1: 5, x2: 105, y1: 8, y2: 8, class: "axis" }));
  if (low !== null) svg.append(shape("line", { x1: x(low), x2: x(high), y1: 8, y2: 8, class: "mark", "stroke-width": 3 }));
  svg.append(shape("circle", { cx: x(value), cy: 8, r: 4, class: "mark" }));
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

function scatter(points, costName) {
  const width = 720, height = 360, left = 56, right = 150, top = 14, bottom = 44;
  const svg = canvas(width, height, `accuracy against ${costName}`);
  const most = Math.max(...points.map((p) => p.x), 1e-12) * 1.08;
  const x = (v) => left + (width - left - right) * v / most;
  const y = (v) => top + (height - top - bottom) * (1 - v);
  for (let tick = 0; tick <= 5; tick++) {
    const share = tick / 5;
    svg.append(shape("line", { x1: left, x2: width - right, y1: y(share), y2: y(share), class: "axis" }));
    svg.append(shape("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end", class: "dim" }, percent(share, 0)));
    svg.append(shape("text", { x: x(most * share), y: height - bottom + 16, "text-anchor": "middle", class: "dim" }, Number((most * share).toPrecision(2)).toLocaleString("en")));
  }
  svg.append(shape("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, costName));
  const front = paretoFront(points);
  svg.append(shape("polyline", { points: front.map((p) => `${x(p.x)},${y(p.y)}`).join(" "), class: "front" }));
  for (const p of points) {
    const mark = shape("g", { class: "mark" });
    if (p.low !== null) mark.append(shape("line", { x1: x(p.x), x2: x(p.x), y1: y(p.low), y2: y(p.high), "stroke-width": 1.5 }));
    mark.append(shape("circle", { cx: x(p.x), cy: y(p.y), r: 5 }));
    mark.append(shape("title", {}, `${p.name}: ${percent(p.y)} at ${fixed(p.x)}`));
    svg.append(mark, shape("text", { x: x(p.x) + 8, y: y(p.y) - 6 }, p.name.slice(0, 28)));
  }
  return svg;
}

// Stacked or single bars over numbered places; `series` are {name, values, color}.
function columns(title, series, count) {
  const width = 360, height = 200, left = 44, bottom = 30, top = 26;
  const svg = canvas(width, height, title);
  const totals = Array.from({ length: count }, (_, i) => series.reduce((sum, s) => sum + (s.values[i] || 0), 0));
  const most = Math.max(...totals, 1e-9);
  const step = (width - left - 6) / count;
  svg.append(shape("text", { x: left, y: 14 }, title));
  svg.append(shape("text", { x: left - 6, y: top + 6, "text-anchor": "end", class: "dim" }, most <= 1 ? percent(most, 0) : String(most)));
  for (let i = 0; i < count; i++) {
    let base = height - bottom;
    for (const s of series) {
      const high = (s.values[i] || 0) / most * (height - top - bottom);
      base -= high;
      const bar = shape("rect", { x: left + i * step + 1, y: base, width: Math.max(1, step - 2), height: high, fill: s.color });
      bar.append(shape("title", {}, `${s.name} ${i}: ${most <= 1 ? percent(s.values[i]) : s.values[i]}`));
      svg.append(bar);
    }
    if (count <= 12 || i % 5 === 0) svg.append(shape("text", { x: left + (i + .5) * step, y: height - bottom + 15, "text-anchor": "middle", class: "dim" }, String(i)));
  }
  return svg;
}
