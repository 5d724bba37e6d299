"use strict";
// The world in Miller's projection on a canvas: wheel or keys zoom, dragging moves, a click chooses.

const miller = (latitude) => (1.25 * Math.log(Math.tan(Math.PI / 4 + (0.4 * latitude * Math.PI) / 180)) * 180) / Math.PI;
const PALETTE = ["#E69F00", "#009E73", "#0072B2", "#CC79A7", "#56B4E9", "#D55E00"];
const DARK_PALETTE = ["#E69F00", "#1fbf92", "#4aa8e0", "#CC79A7", "#56B4E9", "#ff8a3d"];
const TOP = miller(84);
const isDark = () => document.documentElement.dataset.theme === "dark";

// What the colours mean; gives back what colours them again for another theme.
function buildLegend(parent, values, more) {
  const dots = values.map((name) => {
    const dot = element("span", { class: "dot" });
    parent.append(dot, name);
    return dot;
  });
  parent.append(more);
  return () => dots.forEach((dot, place) => { dot.style.background = (isDark() ? DARK_PALETTE : PALETTE)[place % PALETTE.length]; });
}

class WorldMap {
  constructor(choose) {
    this.choose = choose;
    this.canvas = byId("map");
    this.box = byId("map-box");
    this.box.hidden = false;
    this.coast = readJson("coastline").lines.map((line) => {
      const points = new Float32Array(line.length);
      for (let place = 0; place < line.length; place += 2)
        [points[place], points[place + 1]] = [line[place] / 10, miller(line[place + 1] / 10)];
      return points;
    });
    this.x = NUMBERS.longitude;
    this.y = NUMBERS.latitude.map(miller);
    this.view = { x: 0, y: 0, zoom: 1 };
    this.colours = CATEGORIES[COLUMNS.shown.colour];
    this.legend = buildLegend(byId("legend"), this.colours.values, "  · coastlines: Natural Earth, public domain · wheel or + − to zoom");
    this.legend();
    this.listen();
    this.resize();
  }

  resize() {
    const width = this.box.clientWidth;
    if (!width) return;
    this.ratio = window.devicePixelRatio || 1;
    const height = Math.round((width * TOP) / 180);
    this.canvas.style.height = `${height}px`;
    [this.canvas.width, this.canvas.height] = [width * this.ratio, height * this.ratio];
    this.draw();
  }

  restyle() { this.legend(); this.draw(); }

  scale() { return (this.canvas.width / 360) * this.view.zoom; }
  toScreen(x, y) {
    const scale = this.scale();
    return [this.canvas.width / 2 + (x - this.view.x) * scale, this.canvas.height / 2 - (y - this.view.y) * scale];
  }

  draw() {
    const pen = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    pen.fillStyle = colourOf("--back");
    pen.fillRect(0, 0, width, height);
    pen.lineWidth = 0.8 * this.ratio;
    pen.strokeStyle = colourOf("--line");
    pen.beginPath();
    for (const latitude of [-60, -40, 0, 40, 60]) {
      const [, y] = this.toScreen(0, miller(latitude));
      pen.moveTo(0, y); pen.lineTo(width, y);
    }
    pen.stroke();
    pen.strokeStyle = colourOf("--land");
    pen.beginPath();
    for (const line of this.coast)
      for (let place = 0; place < line.length; place += 2) {
        const [x, y] = this.toScreen(line[place], line[place + 1]);
        if (place) pen.lineTo(x, y); else pen.moveTo(x, y);
      }
    pen.stroke();
    this.points(pen);
    pen.fillStyle = colourOf("--soft");
    pen.font = `${10 * this.ratio}px system-ui`;
    for (const latitude of [-60, -40, 0, 40, 60])
      pen.fillText(`${Math.abs(latitude)}°${latitude ? (latitude > 0 ? "N" : "S") : ""}`, 3 * this.ratio, this.toScreen(0, miller(latitude))[1] - 2 * this.ratio);
  }

  points(pen) {
    const size = (shown > 8000 ? 2.4 : shown > 1500 ? 3.4 : 5.5) * this.ratio;
    const palette = isDark() ? DARK_PALETTE : PALETTE;
    const byColour = palette.map(() => []);
    for (let row = 0; row < N; row++)
      if (failed[row] === 0 && this.x[row] === this.x[row] && this.y[row] === this.y[row])
        byColour[Math.max(0, this.colours.codes[row])].push(row);
    byColour.forEach((rows, code) => {
      pen.fillStyle = palette[code];
      for (const row of rows) {
        const [x, y] = this.toScreen(this.x[row], this.y[row]);
        pen.fillRect(x - size / 2, y - size / 2, size, size);
      }
    });
    if (chosen !== null && Number.isFinite(this.y[chosen])) {
      const [x, y] = this.toScreen(this.x[chosen], this.y[chosen]);
      pen.strokeStyle = colourOf("--pick");
      pen.lineWidth = 2.5 * this.ratio;
      pen.beginPath(); pen.arc(x, y, 8 * this.ratio, 0, 7); pen.stroke();
    }
  }

  nearest(event) {
    const place = this.canvas.getBoundingClientRect();
    const [x, y] = [(event.clientX - place.left) * this.ratio, (event.clientY - place.top) * this.ratio];
    let [best, least] = [null, (14 * this.ratio) ** 2];
    for (let row = 0; row < N; row++) {
      if (failed[row] !== 0) continue;
      const [a, b] = this.toScreen(this.x[row], this.y[row]);
      const distance = (a - x) ** 2 + (b - y) ** 2;
      if (distance < least) [best, least] = [row, distance];
    }
    return best;
  }

  zoom(factor) {
    this.view.zoom = Math.min(40, Math.max(1, this.view.zoom * factor));
    if (this.view.zoom === 1) [this.view.x, this.view.y] = [0, 0];
    this.draw();
  }

  move(dx, dy) {
    this.view.x = Math.max(-180, Math.min(180, this.view.x + dx));
    this.view.y = Math.max(-TOP, Math.min(TOP, this.view.y + dy));
    this.draw();
  }

  listen() {
    let start = null;
    this.canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(event.deltaY < 0 ? 1.25 : 0.8); }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => { start = { x: event.clientX, y: event.clientY, moved: false }; this.canvas.setPointerCapture(event.pointerId); });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!start) return;
      const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
      if (!start.moved && Math.hypot(dx, dy) < 4) return;
      Object.assign(start, { x: event.clientX, y: event.clientY, moved: true });
      const scale = this.scale() / this.ratio;
      this.move(-dx / scale, dy / scale);
    });
    this.canvas.addEventListener("pointerup", (event) => {
      const row = start && !start.moved ? this.nearest(event) : null;
      start = null;
      if (row !== null) this.choose(row);
    });
    this.canvas.addEventListener("keydown", (event) => {
      const step = 20 / this.view.zoom;
      const act = {
        "+": () => this.zoom(1.5), "=": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), 0: () => this.zoom(0.001),
        ArrowLeft: () => this.move(-step, 0), ArrowRight: () => this.move(step, 0),
        ArrowUp: () => this.move(0, step), ArrowDown: () => this.move(0, -step),
      }[event.key];
      if (act) { event.preventDefault(); act(); }
    });
  }
}
