"use strict";
// A picture with axes in UTC and kHz (or what else its facts say), outlines, and boxes drawn on it.

const SVG = "http://www.w3.org/2000/svg";
function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function niceStep(span, most, steps) {
  for (const step of steps) if (span / step <= most) return step;
  return steps[steps.length - 1];
}
const TIME_STEPS = [10, 20, 30, 60, 120, 300, 600, 1200, 3600];
const PLAIN_STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

// facts: x and y (ends), shapes (thousandths), src, lat, and axes (labels and scales) if not a spectrogram.
function drawPicture(facts, size, options = {}) {
  const axes = facts.axes ?? { x: { time: true, label: "UTC" }, y: { scale: 1e-3, label: "kHz" } };
  const [width, height] = size;
  const [left, right, top, below] = [46, 8, 6, facts.lat ? 46 : 34];
  const box = svg("svg", { viewBox: `0 0 ${width + left + right} ${height + top + below}`, role: "img", "aria-label": options.label ?? "spectrogram" });
  const image = svg("image", { x: left, y: top, width, height, preserveAspectRatio: "none" });
  image.setAttribute("href", facts.src);
  image.addEventListener("error", () => {
    image.remove();
    box.append(svg("text", { x: left + 8, y: top + 20 }, "The picture is not here: it lies in the folder beside the page."));
  });
  box.append(image);
  const [x0, x1] = facts.x, [y0, y1] = facts.y;
  const toX = (value) => left + ((value - x0) / (x1 - x0)) * width;
  const toY = (value) => top + ((y1 - value) / (y1 - y0)) * height;
  const line = (x, y, dx, dy) => box.append(svg("line", { x1: x, y1: y, x2: x + dx, y2: y + dy, class: "tick" }));
  const xs = axes.x.scale ?? 1, ys = axes.y.scale ?? 1;
  const xStep = axes.x.time ? niceStep(x1 - x0, 6, TIME_STEPS) : niceStep((x1 - x0) * xs, 6, PLAIN_STEPS) / xs;
  for (let value = Math.ceil(x0 / xStep) * xStep; value <= x1; value += xStep) {
    line(toX(value), top + height, 0, 4);
    const text = axes.x.time ? stamp(value).slice(11, xStep < 60 ? 19 : 16) : String(Number((value * xs).toPrecision(4)));
    box.append(svg("text", { x: toX(value), y: top + height + 15, "text-anchor": "middle" }, text));
  }
  const yStep = niceStep((y1 - y0) * ys, 6, PLAIN_STEPS) / ys;
  for (let value = Math.ceil(y0 / yStep) * yStep; value <= y1; value += yStep) {
    line(left - 4, toY(value), 4, 0);
    box.append(svg("text", { x: left - 6, y: toY(value) + 4, "text-anchor": "end" }, String(Number((value * ys).toPrecision(4)))));
  }
  const day = axes.x.time ? `${axes.x.label}, ${stamp(x0).slice(0, 10)}` : axes.x.label;
  box.append(svg("text", { x: left + width / 2, y: top + height + 29, "text-anchor": "middle" }, day));
  box.append(svg("text", { x: 11, y: top + height / 2, "text-anchor": "middle", transform: `rotate(-90 11 ${top + height / 2})` }, axes.y.label));
  if (facts.lat && facts.lat[0] !== null && facts.lat[1] !== null) {
    const degrees = (value) => `${Math.abs(value).toFixed(1)}°${value < 0 ? "S" : "N"}`;
    const under = top + height + 42;
    box.append(svg("text", { x: left, y: under }, degrees(facts.lat[0])));
    box.append(svg("text", { x: left + width, y: under, "text-anchor": "end" }, degrees(facts.lat[1])));
  }
  box.append(svg("rect", { x: left, y: top, width, height, class: "frame" }));
  // What stands in thousandths of the picture, a dark or light line under it, and its name.
  const trace = (flat, tag, kind) => {
    const points = [];
    for (let place = 0; place + 1 < flat.length; place += 2)
      points.push(`${left + (flat[place] / 1000) * width},${top + (flat[place + 1] / 1000) * height}`);
    for (const name of [`${kind} halo`, kind]) box.append(svg(tag, { points: points.join(" "), class: name }));
  };
  (facts.shapes ?? []).forEach((flat, place) => {
    const row = facts.rows?.[place];
    const known = row !== undefined;
    trace(flat, "polygon", "outline" + (known && COLUMNS.other?.[row] ? " other" : "") + (known && row === options.chosen ? " picked" : ""));
    if (known && CATEGORIES.layer && flat.length > 1)
      box.append(svg("text", { x: left + (Math.min(flat[0], 960) / 1000) * width + 3, y: top + (Math.max(flat[flat.length - 1], 0) / 1000) * height + 12, class: "layer" }, CATEGORIES.layer.values[CATEGORIES.layer.codes[row]] ?? ""));
  });
  (facts.lines ?? []).forEach((flat) => { if (flat.length > 2) trace(flat, "polyline", "edge"); });
  const drawBox = (one) => {
    const made = svg("g", {});
    made.append(svg("rect", { x: toX(one[0]), y: toY(one[3]), width: Math.max(1, toX(one[1]) - toX(one[0])), height: Math.max(1, toY(one[2]) - toY(one[3])), class: "drawn" }));
    if (one[4]) made.append(svg("text", { x: toX(one[0]) + 3, y: toY(one[3]) + 12, class: "layer" }, one[4]));
    return made;
  };
  (options.boxes ?? []).forEach((one) => box.append(drawBox(one)));
  if (options.onbox) drawing(box, { left, top, width, height, x0, x1, y0, y1, drawBox }, options.onbox);
  return element("div", { class: "picture" }, box);
}

// Dragging over a picture makes a box in its physical units.
function drawing(box, place, done) {
  let start = null, rubber = null;
  const at = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(box.getScreenCTM().inverse());
    const inside = (value, length) => Math.min(1, Math.max(0, value / length));
    return [place.x0 + inside(point.x - place.left, place.width) * (place.x1 - place.x0), place.y1 - inside(point.y - place.top, place.height) * (place.y1 - place.y0)];
  };
  const ends = (a, b) => [Math.min(a[0], b[0]), Math.max(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[1], b[1])];
  box.style.touchAction = "none";
  box.style.cursor = "crosshair";
  const stop = () => { start = null; rubber?.remove(); };
  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = at(event);
    box.setPointerCapture(event.pointerId);
  });
  box.addEventListener("pointercancel", stop);
  box.addEventListener("pointermove", (event) => {
    if (!start) return;
    rubber?.remove();
    rubber = place.drawBox(ends(start, at(event)));
    box.append(rubber);
  });
  box.addEventListener("pointerup", (event) => {
    if (!start) return;
    const made = ends(start, at(event));
    stop();
    const big = made[1] - made[0] > (place.x1 - place.x0) / 200 && made[3] - made[2] > (place.y1 - place.y0) / 200;
    if (big) done(made);
  });
}
