"use strict";
// Findings over time as points, a panel for each quantity; a click chooses one.

class Timeline {
  constructor(choose) {
    this.choose = choose;
    this.box = byId("timeline-box");
    this.box.hidden = false;
    this.groups = CATEGORIES[COLUMNS.shown.colour];
    const { hollow } = COLUMNS.shown; // what is drawn as a ring: a category, a value of it, and why
    this.rings = hollow ? [false, true] : [false];
    this.isRing = (row) => Boolean(hollow) && CATEGORIES[hollow.category].values[CATEGORIES[hollow.category].codes[row]] === hollow.value;
    this.legend = buildLegend(byId("timeline-legend"), this.groups.values, `${hollow ? `  · ring: ${hollow.label}` : ""}  · a click chooses the nearest`);
    const known = (row, y) => Number.isFinite(NUMBERS.time[row]) && Number.isFinite(y[row]);
    this.panels = COLUMNS.shown.timeline.map((spec) => {
      const y = NUMBERS[spec.y].map((value) => value * (spec.scale ?? 1));
      const order = Array.from({ length: N }, (_, row) => row).filter((row) => known(row, y));
      order.sort((a, b) => NUMBERS.time[a] - NUMBERS.time[b]);
      const place = element("div");
      byId("timeline").append(place);
      return { spec, y, order, place, plot: null };
    });
    this.resize();
  }

  data({ y, order }) {
    const rows = order.filter((row) => failed[row] === 0);
    const columns = this.groups.values.flatMap((_, code) => this.rings.map((ring) =>
      rows.map((row) => (this.groups.codes[row] === code && this.isRing(row) === ring ? y[row] : null))));
    const picked = rows.map((row) => (row === chosen ? y[row] : null));
    return [rows.map((row) => NUMBERS.time[row]), ...columns, picked];
  }

  resize() {
    const width = this.box.clientWidth;
    if (!width) return;
    this.legend();
    const palette = isDark() ? DARK_PALETTE : PALETTE;
    const axis = { stroke: colourOf("--soft"), grid: { stroke: colourOf("--line"), width: 0.5 }, ticks: { stroke: colourOf("--line") } };
    const points = (colour, size, ring = 0) => ({ paths: () => null, stroke: colour, points: { show: true, size, fill: ring ? "transparent" : colour, stroke: colour, width: ring } });
    const series = this.groups.values.flatMap((_, code) => this.rings.map((ring) => points(palette[code % palette.length], N > 4000 ? 3 : 5, ring ? 1 : 0)));
    for (const panel of this.panels) {
      panel.plot?.destroy();
      panel.plot = new uPlot({
        width, height: 210, legend: { show: false }, cursor: { drag: { x: false, y: false }, points: { show: false } },
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        scales: { x: { time: true } },
        series: [{}, ...series, points(colourOf("--pick"), 12, 2)],
        axes: [{ ...axis, size: 30, space: 76, values: timeLabels }, { ...axis, label: panel.spec.label, size: 56 }],
      }, this.data(panel), panel.place);
      panel.plot.over.addEventListener("click", (event) => this.pick(panel, event));
    }
  }

  restyle() { this.resize(); }

  draw() { for (const panel of this.panels) panel.plot?.setData(this.data(panel)); }

  pick({ plot, y, order }, event) {
    const place = plot.over.getBoundingClientRect();
    const [left, top] = [event.clientX - place.left, event.clientY - place.top];
    let [best, least] = [null, 14 ** 2];
    for (const row of order) {
      if (failed[row] !== 0) continue;
      const distance = (plot.valToPos(NUMBERS.time[row], "x") - left) ** 2 + (plot.valToPos(y[row], "y") - top) ** 2;
      if (distance < least) [best, least] = [row, distance];
    }
    if (best !== null) this.choose(best);
  }
}
