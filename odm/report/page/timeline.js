"use strict";
// Findings over time as points, a colour for each value of a category; a click chooses one.

class Timeline {
  constructor(choose) {
    this.choose = choose;
    this.spec = COLUMNS.shown.timeline;
    this.box = byId("timeline-box");
    this.box.hidden = false;
    this.x = NUMBERS.time;
    this.y = NUMBERS[this.spec.y];
    this.groups = CATEGORIES[COLUMNS.shown.colour];
    this.order = Array.from({ length: N }, (_, row) => row).filter((row) => Number.isFinite(this.x[row]) && Number.isFinite(this.y[row]));
    this.order.sort((a, b) => this.x[a] - this.x[b]);
    this.groups.values.forEach((name, place) => {
      const dot = element("span", { class: "dot" });
      dot.style.background = PALETTE[place];
      byId("timeline-legend").append(dot, name);
    });
    this.resize();
  }

  data() {
    const rows = this.order.filter((row) => failed[row] === 0);
    const columns = this.groups.values.map((_, code) => rows.map((row) => (this.groups.codes[row] === code ? this.y[row] : null)));
    const picked = rows.map((row) => (row === chosen ? this.y[row] : null));
    return [rows.map((row) => this.x[row]), ...columns, picked];
  }

  resize() {
    const width = this.box.clientWidth;
    if (!width) return;
    this.plot?.destroy();
    const palette = isDark() ? DARK_PALETTE : PALETTE;
    const axis = { stroke: colourOf("--soft"), grid: { stroke: colourOf("--line"), width: 0.5 }, ticks: { stroke: colourOf("--line") } };
    const points = (colour, size, fill = colour) => ({ paths: () => null, stroke: colour, points: { show: true, size, fill, stroke: colour, width: fill ? 0 : 2 } });
    const series = this.groups.values.map((_, code) => points(palette[code], N > 4000 ? 3 : 5));
    this.plot = new uPlot({
      width, height: 300, legend: { show: false }, cursor: { drag: { x: false, y: false }, points: { show: false } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { x: { time: true } },
      series: [{}, ...series, points(colourOf("--pick"), 12, "transparent")],
      axes: [axis, { ...axis, label: this.spec.label, size: 56 }],
    }, this.data(), byId("timeline"));
    this.plot.over.addEventListener("click", (event) => this.pick(event));
  }

  draw() {
    if (!this.plot) { this.resize(); return; }
    this.plot.setData(this.data());
  }

  pick(event) {
    const place = this.plot.over.getBoundingClientRect();
    const [x, y] = [event.clientX - place.left, event.clientY - place.top];
    let [best, least] = [null, 14 ** 2];
    for (const row of this.order) {
      if (failed[row] !== 0) continue;
      const distance = (this.plot.valToPos(this.x[row], "x") - x) ** 2 + (this.plot.valToPos(this.y[row], "y") - y) ** 2;
      if (distance < least) [best, least] = [row, distance];
    }
    if (best !== null) this.choose(best);
  }
}
