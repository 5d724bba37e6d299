"use strict";
// The data of the page, and which of its rows pass the filters.

const readJson = (id) => JSON.parse(document.getElementById(id).textContent);
const DATA = readJson("data");
const COLUMNS = DATA.columns;
const N = COLUMNS.n;
let picturesRead = null;
const pictures = () => (picturesRead ??= readJson("pictures"));

// Text is only ever set as text: what stands in an archive's file names is never markup.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.startsWith("aria-")) made.setAttribute(name, String(value));
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}
const byId = (id) => document.getElementById(id);

// New children in place of the old; who moves by keyboard stays at the same button.
function redraw(parent, ...children) {
  const held = parent.contains(document.activeElement) ? document.activeElement : null;
  const alike = () => [...parent.querySelectorAll(held.tagName)].filter((one) => one.textContent === held.textContent);
  const place = held ? alike().indexOf(held) : -1;
  parent.replaceChildren(...children);
  if (place >= 0) alike()[place]?.focus();
}

// Numbers: NaN where unknown, so that no comparison holds.
const NUMBERS = {};
for (const [name, values] of Object.entries(COLUMNS.numbers))
  NUMBERS[name] = Float64Array.from(values, (value) => (value === null ? NaN : value));
const CATEGORIES = COLUMNS.categories;
for (const one of Object.values(CATEGORIES)) one.codes = Int8Array.from(one.codes);
const FLAG_BITS = Int32Array.from(COLUMNS.flags.bits);

// A bit per filter; a row is shown where none is set.
const failed = new Uint32Array(N);
const bitOf = new Map();
const listeners = [];
const whenFiltered = (listener) => listeners.push(listener);
let shown = N;

function bit(name) {
  if (!bitOf.has(name)) bitOf.set(name, 1 << bitOf.size);
  return bitOf.get(name);
}

function setFilter(name, passes) {
  const own = bit(name);
  for (let row = 0; row < N; row++) {
    if (passes === null || passes(row)) failed[row] &= ~own;
    else failed[row] |= own;
  }
}

function refresh() {
  shown = 0;
  for (let row = 0; row < N; row++) if (failed[row] === 0) shown++;
  for (const listener of listeners) listener();
}

function rangeFilter(column, low, high) {
  const values = NUMBERS[column];
  const none = low === null && high === null;
  const [from, to] = [low ?? -Infinity, high ?? Infinity];
  setFilter(column, none ? null : (row) => values[row] >= from && values[row] <= to);
}

function categoryFilter(name, codes) {
  const of = CATEGORIES[name].codes;
  setFilter(name, codes === null ? null : (row) => codes.has(of[row]));
}

const two = (number) => String(number).padStart(2, "0");
function stamp(seconds, withSeconds = true) {
  if (!Number.isFinite(seconds)) return "unknown";
  const text = new Date(seconds * 1000).toISOString();
  return text.slice(0, 10) + " " + text.slice(11, withSeconds ? 19 : 16);
}
// Labels of a time axis (UTC): hours where they stand closer than days, with the day where it begins.
function timeLabels(_, seconds) {
  const step = seconds.length > 1 ? seconds[1] - seconds[0] : 0;
  return seconds.map((value, place) => {
    const [day, clock] = stamp(value, false).split(" ");
    if (step >= 27 * 86400) return day.slice(0, 7);
    if (step >= 86400) return day.slice(place ? 5 : 0);
    if (clock === "00:00") return day.slice(5);
    return place ? clock : `${day.slice(5)} ${clock}`;
  });
}
// What a finding is called; two campaigns may call different ones alike.
const nameOf = (row) => COLUMNS.ids[row] + (COLUMNS.other?.[row] ? " (only B)" : "");
// Labels of an axis of counts: short, so that none is cut off; there is no half of one.
function countLabels(_, counts) {
  return counts.map((value) => !Number.isInteger(value) ? "" : value >= 1e6 ? `${value / 1e6}M` : value >= 1000 ? `${value / 1000}k` : String(value));
}
function number(value, digits, scale = 1) {
  return Number.isFinite(value) ? (value * scale).toFixed(digits) : "–";
}
// What stands in a column of the table.
function cell(one, row) {
  if (one.kind === "time") return stamp(NUMBERS[one.column][row]);
  if (one.kind === "category") return CATEGORIES[one.column].values[CATEGORIES[one.column].codes[row]] ?? "–";
  return number(NUMBERS[one.column][row], one.digits, one.scale);
}
const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
