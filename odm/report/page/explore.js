"use strict";
// The table, which holds only the rows in sight, and the finding that is chosen.

let chosen = null;
let world = null;
const ROW_HEIGHT = 26;

class Table {
  constructor() {
    this.box = byId("table");
    this.space = byId("table-space");
    this.body = byId("table-rows");
    this.columns = COLUMNS.shown.table;
    this.grid = `150px repeat(${this.columns.length - 1}, minmax(56px, 1fr)) 44px`;
    this.sort = { column: "time", down: false };
    this.orders = {};
    const head = byId("table-head");
    head.style.gridTemplateColumns = this.grid;
    for (const one of this.columns)
      head.append(element("button", { type: "button", role: "columnheader", text: one.label, "data-column": one.column, onclick: () => this.sortBy(one.column) }));
    head.append(element("button", { type: "button", role: "columnheader", text: "mark", disabled: true }));
    this.box.addEventListener("scroll", () => requestAnimationFrame(() => this.draw()));
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) choose(Number(row.dataset.row));
    });
    this.update();
  }

  sortBy(column) {
    this.sort = { column, down: this.sort.column === column && !this.sort.down };
    this.update();
  }

  order(column) {
    if (!this.orders[column]) {
      const values = NUMBERS[column] ?? CATEGORIES[column].codes;
      const known = (value) => (value === value ? value : Infinity);
      this.orders[column] = Uint32Array.from({ length: N }, (_, row) => row).sort((a, b) => known(values[a]) - known(values[b]) || a - b);
    }
    return this.orders[column];
  }

  update() {
    const order = this.order(this.sort.column);
    this.rows = new Uint32Array(shown);
    let place = 0;
    for (let number = 0; number < N; number++) {
      const row = order[this.sort.down ? N - 1 - number : number];
      if (failed[row] === 0) this.rows[place++] = row;
    }
    this.space.style.height = `${this.rows.length * ROW_HEIGHT}px`;
    this.box.setAttribute("aria-rowcount", this.rows.length);
    for (const button of byId("table-head").children)
      button.setAttribute("aria-sort", button.dataset.column === this.sort.column ? (this.sort.down ? "descending" : "ascending") : "none");
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW_HEIGHT) - 4);
    const last = Math.min(this.rows.length, first + Math.ceil(this.box.clientHeight / ROW_HEIGHT) + 8);
    this.body.style.top = `${first * ROW_HEIGHT}px`;
    const lines = [];
    for (let place = first; place < last; place++) {
      const row = this.rows[place];
      const line = element("div", { class: "row", role: "row", "data-row": row, "aria-rowindex": place + 1, "aria-selected": row === chosen, id: `row-${row}` });
      line.style.gridTemplateColumns = this.grid;
      for (const one of this.columns) line.append(element("span", { role: "gridcell", text: cell(one, row) }));
      line.append(element("span", { role: "gridcell", class: markOfRow(row)?.mark ? `mark-${markOfRow(row).mark}` : "" }));
      lines.push(line);
    }
    this.body.replaceChildren(...lines);
    if (chosen !== null) this.box.setAttribute("aria-activedescendant", `row-${chosen}`);
  }

  key(event) {
    const page = Math.floor(this.box.clientHeight / ROW_HEIGHT) - 2;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -N, End: N };
    if (event.key in steps && this.rows.length) {
      event.preventDefault();
      const at = chosen === null ? -1 : this.rows.indexOf(chosen);
      const next = Math.max(0, Math.min(this.rows.length - 1, at + steps[event.key]));
      choose(this.rows[next]);
      this.reveal(next);
    }
    if (event.target !== this.box) return;
    const mark = { 1: "right", 2: "wrong", 3: "unsure" }[event.key];
    if (mark && chosen !== null) { event.preventDefault(); markFinding(chosen, mark); showDetail(); }
  }

  reveal(place) {
    const [top, height] = [place * ROW_HEIGHT, this.box.clientHeight - 2 * ROW_HEIGHT];
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top > this.box.scrollTop + height) this.box.scrollTop = top - height;
    this.draw();
  }
}

let table = null;
function choose(row) {
  chosen = row;
  table.draw();
  world?.draw();
  showDetail();
}

function pictureOf(row) {
  const facts = pictures().regions[row] ?? pictures().orbits[COLUMNS.orbit[row]];
  if (facts) return drawPicture(facts, [300, 210], { label: `${nameOf(row)}: the finding outlined`, chosen: row });
  return element("p", { class: "hint", text: DATA.no_picture });
}

function markButtons(current, names, act) {
  return element("div", { class: "marks", role: "group" }, ...names.map((name) =>
    element("button", { type: "button", text: name, "data-mark": name, "aria-pressed": current === name, onclick: () => act(name) })));
}

function detailList(row) {
  const list = element("dl");
  const add = (name, text) => list.append(element("dt", { text: name }), element("dd", { text }));
  add("file", DATA.sources[COLUMNS.orbit[row]]);
  add("time", stamp(NUMBERS.time[row]) + " UTC");
  for (const one of COLUMNS.shown.details)
    add(one.label, `${number(NUMBERS[one.column][row], one.digits, one.scale)} ${one.unit}`);
  for (const one of Object.values(CATEGORIES)) if (one.codes[row] >= 0) add(one.label, one.values[one.codes[row]]);
  const flags = COLUMNS.flags.names.filter((_, place) => (FLAG_BITS[row] >> place) & 1);
  if (COLUMNS.flags.names.length) add("flags", flags.join(", ") || "none");
  return list;
}

function showDetail() {
  if (chosen === null) return;
  const row = chosen;
  const note = element("textarea", { placeholder: "a note", "aria-label": "note on this finding", onchange: (event) => noteFinding(row, event.target.value) });
  note.value = markOfRow(row)?.note ?? "";
  redraw(byId("detail"),
    element("h2", { id: "chosen", text: nameOf(row) }), pictureOf(row),
    markButtons(markOfRow(row)?.mark, ["right", "wrong", "unsure"], (mark) => { markFinding(row, mark); showDetail(); }), note,
    detailList(row));
}
