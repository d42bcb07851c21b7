// Tables whose columns their reader chooses. Until then those that matter are shown, and of the
// others, by their worth, as many as the page has room for: nothing hides behind a scroll.

// A column: its `head`, `show(row)` for the page (text or an element), `value(row)` to sort by,
// `about` for a tooltip and the list below, `text` for one that stands to the left, `fold` for one that
// may break anywhere on a phone, `lines` at spaces, `picture` for one that is not copied. `worth`: 0 stays, 1 is the first to be added.
class ReaderTable {
  constructor(place, { name, columns, rows, sorted, long }) {
    Object.assign(this, { columns, rows, sorted: sorted ?? null, long, name });
    this.chosen = null;
    this.box = element("div", { class: "scroll" });
    this.table = element("table", { class: "results" });
    this.box.append(this.table);
    this.chooser = element("details", { class: "chooser" });
    this.explained = element("details", { class: "explained" });
    this.hidden = element("span", { class: "note", role: "status" });
    const copy = (form) => { const button = element("button", { type: "button" }, `Copy ${form}`); button.addEventListener("click", () => copyText(button, form === "LaTeX" ? this.latex() : this.markdown())); return button; };
    this.tools = element("div", { class: "tools" }, this.chooser, this.explained, copy("Markdown"), copy("LaTeX"), this.hidden);
    place.replaceChildren(this.box, this.tools);
    this.fit();
  }

  // The columns that fit, widest worth first; what a reader chose stays.
  fit() {
    if (!this.chosen) {
      this.shown = this.columns;
      this.draw();
      const widths = [...this.table.querySelectorAll("thead th")].map((head) => head.getBoundingClientRect().width);
      const room = this.box.clientWidth;
      const kept = new Set(this.columns.filter((column) => !column.worth));
      let used = this.columns.reduce((sum, column, at) => sum + (kept.has(column) ? widths[at] : 0), 0);
      const others = this.columns.map((column, at) => ({ column, width: widths[at] })).filter(({ column }) => column.worth).sort((a, b) => a.column.worth - b.column.worth);
      for (const { column, width } of others) if (used + width <= room + 1) { kept.add(column); used += width; }
      this.shown = this.columns.filter((column) => kept.has(column));
    }
    this.draw();
    this.drawTools();
  }

  draw() {
    const heads = this.shown.map((column) => {
      const label = column.value ? element("button", { type: "button" }, column.head) : column.head;
      if (column.value) label.addEventListener("click", () => this.sort(column));
      const head = element("th", { scope: "col", class: kindOf(column) }, label);
      if (column.about) head.title = column.about;
      if (column.value) head.setAttribute("aria-sort", this.sorted?.column !== column.head ? "none" : this.sorted.down ? "descending" : "ascending");
      return head;
    });
    const body = this.ordered().map((row) => {
      const said = this.long?.(row);
      if (said) return element("tr", {}, element("td", { class: "text" }, this.shown[0].show(row)), element("td", { class: "long", colspan: this.shown.length - 1 }, said));
      return element("tr", {}, ...this.shown.map((column) => element("td", { class: kindOf(column) }, column.show(row))));
    });
    this.table.replaceChildren(element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...body));
  }

  drawTools() {
    const boxes = this.columns.slice(1).map((column) => {
      const box = element("input", { type: "checkbox" });
      box.checked = this.shown.includes(column);
      box.addEventListener("change", () => {
        const on = new Set(this.shown);
        if (box.checked) on.add(column); else on.delete(column);
        this.chosen = true;
        this.shown = this.columns.filter((one) => on.has(one));
        this.draw();
        this.drawHidden();
      });
      return element("label", {}, box, " ", column.head);
    });
    const reset = element("button", { type: "button" }, "those that fit");
    reset.addEventListener("click", () => { this.chosen = null; this.fit(); });
    const open = this.chooser.open;
    this.chooser.replaceChildren(element("summary", {}, "Columns"), element("div", { class: "choices" }, ...boxes, reset));
    this.chooser.open = open;
    this.drawHidden();
  }

  drawHidden() {
    const count = this.columns.length - this.shown.length;
    this.hidden.textContent = count ? `${count} more column${count > 1 ? "s" : ""} under “Columns”` : "";
    this.explained.replaceChildren(element("summary", {}, "What they mean"), element("dl", {}, ...this.shown.filter((column) => column.about).flatMap((column) => [element("dt", {}, column.head), element("dd", {}, column.about)])));
    this.explained.hidden = !this.shown.some((column) => column.about);
  }

  sort(column) {
    this.sorted = { column: column.head, down: this.sorted?.column === column.head ? !this.sorted.down : !column.text };
    this.draw();
    this.table.querySelectorAll("thead th")[this.shown.indexOf(column)].querySelector("button").focus();
  }

  ordered() {
    const column = this.columns.find((one) => one.head === this.sorted?.column);
    if (!column) return this.rows;
    const turn = this.sorted.down ? -1 : 1;
    return [...this.rows].sort((a, b) => { const x = column.value(a), y = column.value(b); if (x === null || y === null) return (x === null) - (y === null); return (x < y ? -1 : x > y ? 1 : 0) * turn; });
  }

  // What is shown as lines of text: pictures stay out.
  lines() {
    const columns = this.shown.filter((column) => !column.picture);
    const text = (content) => (content instanceof Node ? content.dataset?.plain ?? content.textContent : String(content));
    const rows = this.ordered().map((row) => { const said = this.long?.(row); return columns.map((column, at) => said && at ? (at === 1 ? said : "") : text(column.show(row))); });
    return { columns, lines: [columns.map((column) => column.head), ...rows] };
  }

  markdown() {
    const { columns, lines } = this.lines();
    const rule = columns.map((column) => (column.text ? "---" : "---:"));
    const cell = (text) => text.replace(/\s+/g, " ").replace(/[\\`*_[\]|~$<&]/g, (sign) => (sign === "<" ? "&lt;" : sign === "&" ? "&amp;" : "\\" + sign));
    const [head, ...rows] = lines.map((line) => line.map(cell));
    return [head, rule, ...rows].map((line) => `| ${line.join(" | ")} |`).join("\n") + "\n";
  }

  latex() {
    const { columns, lines } = this.lines();
    const [head, ...rows] = lines.map((line) => line.map(latexText).join(" & ") + " \\\\");
    return ["% \\usepackage{booktabs}", `\\begin{tabular}{${columns.map((column) => (column.text ? "l" : "r")).join("")}}`, "\\toprule", head, "\\midrule", ...rows, "\\bottomrule", "\\end{tabular}", ""].join("\n");
  }
}

const kindOf = (column) => [column.text && "text", column.main && "main", column.fold && "fold", column.lines && "lines"].filter(Boolean).join(" ");

const LATEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "×": "$\\times$", "±": "$\\pm$", "–": "--", "→": "$\\to$", "<": "$<$", ">": "$>$", "≥": "$\\geq$", "\u00a0": "~", "†": "$^{\\dagger}$", "…": "\\ldots{}", "−": "$-$" };
// Text that LaTeX sets as it stands, whatever a run is called.
const latexText = (text) => text.replace(/\s+/g, " ").replace(/[\\~^×±–→<>≥\u00a0†…−#$%&_{}]/g, (sign) => LATEX[sign] ?? "\\" + sign);

// Copies without asking for a permission, which a page from disk may not have; says that it did.
function copyText(button, text) {
  const area = element("textarea", { "aria-hidden": "true", class: "copied" });
  area.value = text;
  (button.closest("dialog") || document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  button.focus();
  const said = button.textContent;
  button.textContent = done ? "Copied" : "Not allowed here";
  setTimeout(() => { button.textContent = said; }, 1500);
}
