"use strict";
// Histograms that are filters: drag over one, or write its ends. Each shows what all others let in.

const charts = [];

function edgesOf(one) {
  if (one.edges) {
    const [low, high, step] = one.edges;
    const count = Math.round((high - low) / step);
    return Float64Array.from({ length: count + 1 }, (_, number) => low + number * step);
  }
  let [low, high] = [Infinity, -Infinity];
  for (const value of NUMBERS[one.column])
    if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (!(low < high)) [low, high] = Number.isFinite(low) ? [low - 1, low + 1] : [0, 1];
  return Float64Array.from({ length: one.bins + 1 }, (_, number) => low + ((high - low) * number) / one.bins);
}

class Histogram {
  constructor(one, parent) {
    this.one = one;
    this.scale = one.scale ?? 1;
    this.edges = edgesOf(one);
    const bins = this.edges.length - 1;
    const step = (this.edges[bins] - this.edges[0]) / bins;
    this.bin = Int16Array.from(NUMBERS[one.column], (value) => {
      const place = Math.floor((value - this.edges[0]) / step);
      return value === this.edges[bins] ? bins - 1 : place >= 0 && place < bins ? place : -1;
    });
    this.middles = Array.from({ length: bins }, (_, number) => (this.edges[number] + step / 2) * this.scale);
    this.own = bit(one.column);
    this.clock = one.time && this.edges[bins] - this.edges[0] < 10 * 86400; // days alone are too coarse
    const kind = this.clock ? "datetime-local" : one.time ? "date" : "number";
    const input = (end) => element("input", {
      type: kind, step: this.clock ? 60 : "any", "data-column": one.column, "data-end": end,
      "aria-label": `${one.label}, ${end}`, placeholder: end, onchange: () => this.fromInputs(),
    });
    [this.low, this.high] = [input("from"), input("to")];
    this.place = element("div");
    this.box = element("div", { class: "histogram" + (one.time ? " time" : "") + (this.clock ? " clock" : "") },
      element("div", { class: "name" }, element("span", { text: one.label }),
        element("span", { class: "ends" }, this.low, this.high)), this.place);
    parent.append(this.box);
    this.draw();
  }

  draw() {
    this.plot?.destroy();
    const bars = uPlot.paths.bars({ size: [1], gap: 0 });
    const series = (colour) => ({ paths: bars, points: { show: false }, fill: colour, stroke: colour, width: 0 });
    const axis = { stroke: colourOf("--soft"), font: "10px system-ui", grid: { show: false }, ticks: { stroke: colourOf("--line"), size: 3 } };
    const ends = [this.edges[0] * this.scale, this.edges[this.edges.length - 1] * this.scale];
    this.plot = new uPlot({
      width: Math.max(220, this.place.clientWidth || 300), height: 84,
      scales: { x: { time: Boolean(this.one.time), range: ends }, y: { range: (_, low, high) => [0, Math.max(1, high)] } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false }, y: false },
      series: [{}, series(colourOf("--faint")), series(colourOf("--bar"))],
      axes: [{ ...axis, size: 22, ...(this.one.time ? { values: timeLabels, space: 52 } : {}) }, { ...axis, size: 34, space: 22, values: countLabels }],
      hooks: { setSelect: [(plot) => this.fromDrag(plot)] },
    }, this.counts(), this.place);
    this.showEnds();
  }

  counts() {
    const [all, some] = [new Array(this.middles.length).fill(0), new Array(this.middles.length).fill(0)];
    for (let row = 0; row < N; row++) {
      const bin = this.bin[row];
      if (bin < 0) continue;
      all[bin]++;
      if ((failed[row] & ~this.own) === 0) some[bin]++;
    }
    return [this.middles, all, some];
  }

  update() { this.plot.setData(this.counts(), false); this.plot.redraw(); }

  ends() {
    const value = (input) => {
      if (input.value === "") return null;
      const given = this.one.time ? Date.parse(input.value + (this.clock ? "Z" : "T00:00:00Z")) / 1000 : Number(input.value) / this.scale;
      return Number.isFinite(given) ? given : null;
    };
    const [low, high] = [value(this.low), value(this.high)];
    return [low, this.one.time && high !== null ? high + (this.clock ? 60 : 86400) - 0.001 : high];
  }

  fromInputs() { rangeFilter(this.one.column, ...this.ends()); this.showEnds(); refresh(); }

  fromDrag(plot) {
    if (this.silent) return;
    const { left, width } = plot.select;
    if (width < 3) { this.clear(); refresh(); return; }
    const [low, high] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    const write = (value) => this.one.time ? new Date(value * 1000).toISOString().slice(0, this.clock ? 16 : 10) : String(Number(value.toPrecision(4)));
    [this.low.value, this.high.value] = [write(low), write(high)];
    this.fromInputs();
  }

  showEnds() {
    const [low, high] = this.ends();
    const all = low === null && high === null;
    const place = (value, other) => value === null ? other : this.plot.valToPos(value * this.scale, "x");
    const [left, right] = [place(low, 0), place(high, this.plot.over.clientWidth)];
    const inside = (value) => Math.max(0, Math.min(value, this.plot.over.clientWidth));
    this.plot.setSelect({ left: inside(left), top: 0, width: all ? 0 : inside(right) - inside(left), height: this.plot.over.clientHeight }, false);
  }

  clear() { [this.low.value, this.high.value] = ["", ""]; rangeFilter(this.one.column, null, null); this.showEnds(); }
}

function buildCharts() {
  for (const one of COLUMNS.shown.histograms) charts.push(new Histogram(one, byId("histograms")));
  whenFiltered(() => charts.forEach((chart) => chart.update()));
}

// Categories, flags and marks: a box per value, with how many of it are shown.
function buildCategories() {
  const parent = byId("categories");
  const updates = [];
  const group = (label, names, codeOf, apply) => {
    const boxes = names.map((name) => element("input", { type: "checkbox", checked: true, "data-value": name }));
    const numbers = names.map(() => element("span", { class: "number" }));
    const field = element("fieldset", { "data-filter": label }, element("legend", { text: label }));
    names.forEach((name, place) => field.append(element("label", {}, boxes[place], name + " ", numbers[place])));
    const run = () => {
      const chosen = new Set(boxes.flatMap((box, place) => (box.checked ? [place] : [])));
      apply(chosen.size === names.length ? null : chosen);
      refresh();
    };
    field.addEventListener("change", run);
    parent.append(field);
    const update = () => {
      const found = new Array(names.length).fill(0);
      for (let row = 0; row < N; row++) {
        if (failed[row] !== 0) continue;
        const code = codeOf(row); // a number, or several; -1 for none of them
        if (typeof code !== "number") for (const one of code) found[one]++;
        else if (code >= 0) found[code]++;
      }
      found.forEach((many, place) => { numbers[place].textContent = many; });
    };
    updates.push(update);
    all.push(...boxes);
    return () => { if (boxes.every((box) => box.checked)) update(); else run(); };
  };
  const all = [];
  for (const [name, one] of Object.entries(CATEGORIES))
    group(one.label, one.values, (row) => one.codes[row], (codes) => categoryFilter(name, codes));
  const names = COLUMNS.flags.names;
  const plain = [0];
  const flagsOf = (row) => FLAG_BITS[row] === 0 ? plain : names.flatMap((_, place) => (FLAG_BITS[row] >> place) & 1 ? [place + 1] : []);
  if (names.length)
    group("flags", ["none", ...names], flagsOf,
      (codes) => setFilter("flags", codes === null ? null : (row) => flagsOf(row).every((code) => codes.has(code))));
  const judgements = ["right", "wrong", "unsure"];
  const markOf = (row) => 1 + judgements.indexOf(markOfRow(row)?.mark);
  whenMarked.push(group("marked", ["no", ...judgements], markOf,
    (codes) => setFilter("marked", codes === null ? null : (row) => codes.has(markOf(row)))));
  whenFiltered(() => {
    updates.forEach((update) => update());
    byId("count").textContent = `${shown} of ${N} ${DATA.findings}`;
  });
  byId("reset").addEventListener("click", () => {
    all.forEach((box) => { box.checked = true; });
    for (const name of bitOf.keys()) setFilter(name, null);
    charts.forEach((chart) => chart.clear());
    refresh();
  });
}
