"use strict";
// Marks of a person: kept in the browser, exported as JSON for `odm review import`.

const KEY = ["odm-review", DATA.id, ...(DATA.against ? [DATA.against] : [])].join(":");
const JUDGEMENTS = ["right", "wrong", "unsure"];
const COMPLETE = ["nothing missed", "something missed"];
let marks = { findings: {}, inputs: {} };
let keeps = true;
let drawAs = DATA.layers[0] ?? null; // what a box that is drawn is called, where that is a choice
const whenMarked = [];

// What is kept, or in a file, may have been changed by anything: only what can be a mark is taken.
function tidy(facts, names) {
  const known = {};
  if (names.includes(facts?.mark)) known.mark = facts.mark;
  if (typeof facts?.note === "string" && facts.note) known.note = facts.note;
  const isBox = (box) => Array.isArray(box) && box.slice(0, 4).every(Number.isFinite) &&
    (DATA.layers.length ? box.length === 5 && DATA.layers.includes(box[4]) : box.length === 4);
  const boxes = Array.isArray(facts?.boxes) ? facts.boxes.filter(isBox) : [];
  if (boxes.length) known.boxes = boxes;
  return known;
}

function takeMarks(into, findings, inputs) {
  for (const [id, facts] of findings) into.findings[id] = tidy(facts, JUDGEMENTS);
  for (const [id, facts] of inputs) into.inputs[id] = tidy(facts, COMPLETE);
}

// What is kept may be newer than what is shown: this page may be open in another window too.
function takeKept() {
  if (!keeps) return;
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
    if (!kept) return;
    const taken = { findings: {}, inputs: {} };
    takeMarks(taken, Object.entries(kept.findings), Object.entries(kept.inputs));
    marks = taken;
  } catch { keeps = false; }
}

function keepMarks() {
  try { localStorage.setItem(KEY, JSON.stringify(marks)); } catch { keeps = false; }
  byId("kept").textContent = keeps
    ? "Marks are kept in this browser; export them to use them."
    : "This browser keeps no marks for this page: export them before closing it.";
}

const idOf = (row) => (COLUMNS.other?.[row] ? "b:" : "") + COLUMNS.ids[row];
const markOfRow = (row) => marks.findings[idOf(row)];

function showMarks() {
  whenMarked.forEach((listener) => listener());
  table?.draw();
  showProgress();
}

// Changes what is marked of one thing: `facts` itself, or what it makes of the marks there are.
function change(kind, id, facts) {
  takeKept();
  const of = marks[kind];
  const now = { ...of[id], ...(typeof facts === "function" ? facts(of[id] ?? {}) : facts) };
  for (const name of Object.keys(now)) if (now[name] === null || now[name] === "") delete now[name];
  if (Object.keys(now).length) of[id] = now; else delete of[id];
  keepMarks();
  showMarks();
}
const toggled = (mark) => (before) => ({ mark: before.mark === mark ? null : mark });
function markFinding(row, mark) { change("findings", idOf(row), toggled(mark)); }
function noteFinding(row, note) { change("findings", idOf(row), { note }); }

const QUEUE = DATA.queue;
const rowsOf = new Map();
for (let row = 0; row < N; row++) {
  const orbit = COLUMNS.orbit[row];
  if (!rowsOf.has(orbit)) rowsOf.set(orbit, []);
  rowsOf.get(orbit).push(row);
}
let current = 0;

function isDone(entry) {
  const judged = (rowsOf.get(entry.orbit) ?? []).every((row) => markOfRow(row)?.mark);
  return judged && Boolean(marks.inputs[entry.identity]?.mark);
}

function showProgress() {
  const done = QUEUE.filter(isDone).length;
  byId("progress").textContent = QUEUE.length
    ? `${done} of ${QUEUE.length} ${DATA.inputs} done: mark each of the ${DATA.findings}, then say whether one was missed.`
    : `There is nothing to review: no ${DATA.input} was searched.`;
  [...byId("queue").querySelectorAll("button")].forEach((button, place) => {
    button.classList.toggle("done", isDone(QUEUE[place]));
    if (place === current) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
  });
}

function buildReview() {
  QUEUE.forEach((entry, place) => byId("queue").append(element("li", {},
    element("button", { type: "button", text: entry.identity, title: DATA.sources[entry.orbit], onclick: () => showCase(place) }))));
  byId("export").addEventListener("click", exportMarks);
  byId("load").addEventListener("change", loadFile);
  document.addEventListener("keydown", (event) => {
    if (byId("review").hidden || event.ctrlKey || event.altKey || event.metaKey) return;
    if (["TEXTAREA", "INPUT"].includes(event.target.tagName)) return;
    if (event.key === "n") showCase(current + 1);
    if (event.key === "p") showCase(current - 1);
  });
  window.addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    takeKept();
    showMarks();
    if (document.activeElement?.tagName === "TEXTAREA") return; // somebody is writing a note
    showDetail();
    if (!byId("review").hidden) showCase(current);
  });
  keepMarks();
  showProgress();
}

// A line on one finding under review.
function foundLine(row, again) {
  const facts = COLUMNS.shown.table.map((one) => (one.kind ? cell(one, row) : `${one.label} ${cell(one, row)}`)).join(", ");
  return element("div", { class: "found" },
    element("strong", { text: nameOf(row) }),
    element("span", { class: "hint", text: ` ${facts}` }),
    markButtons(markOfRow(row)?.mark, JUDGEMENTS, (name) => { markFinding(row, name); again(); }));
}

function showCase(place) {
  if (!QUEUE.length) return;
  current = Math.max(0, Math.min(QUEUE.length - 1, place));
  const entry = QUEUE[current];
  const mark = marks.inputs[entry.identity] ?? {};
  const again = () => showCase(current);
  const set = (facts) => { change("inputs", entry.identity, facts); again(); };
  const boxes = mark.boxes ?? [];
  const facts = pictures().orbits[entry.orbit];
  const drawn = (box) => set({ mark: "something missed", boxes: [...boxes, drawAs ? [...box, drawAs] : box] });
  const wide = Math.max(240, Math.min(860, byId("case").clientWidth - 56)); // text as large in a narrow window
  const whole = facts
    ? drawPicture(facts, [wide, wide < 600 ? 240 : 330], { label: `the whole ${DATA.input}, findings outlined`, boxes, onbox: drawn })
    : element("p", { class: "hint", text: DATA.no_picture });
  const note = element("textarea", { placeholder: `a note on this ${DATA.input}`, "aria-label": `note on this ${DATA.input}`, onchange: (event) => change("inputs", entry.identity, { note: event.target.value }) });
  note.value = mark.note ?? "";
  const layers = DATA.layers.length
    ? [element("div", { class: "buttons" }, element("span", { class: "hint", text: "Draw as" }), markButtons(drawAs, DATA.layers, (name) => { drawAs = name; again(); }))] : [];
  const hint = `Red: what was found${DATA.against ? "; dashed blue: only by B" : ""}${DATA.layers.length ? "; light blue line: leading edge" : ""}. Drag over the picture to draw what was missed.`;
  redraw(byId("case"),
    element("h2", { text: `${current + 1} of ${QUEUE.length}: ${DATA.sources[entry.orbit]}` }), whole,
    element("p", { class: "hint", text: hint }), ...layers,
    ...(rowsOf.get(entry.orbit) ?? []).map((row) => foundLine(row, again)), element("strong", { text: "And the rest of it?" }),
    markButtons(mark.mark, COMPLETE, (name) => set({ mark: mark.mark === name ? null : name, ...(name === "nothing missed" ? { boxes: null } : {}) })),
    element("div", { class: "buttons" },
      element("button", { type: "button", text: "Previous (p)", onclick: () => showCase(current - 1) }),
      element("button", { type: "button", text: "Next (n)", onclick: () => showCase(current + 1) }),
      ...(boxes.length ? [element("button", { type: "button", text: `Remove the last of ${boxes.length} drawn`, onclick: () => set(boxes.length > 1 ? { boxes: boxes.slice(0, -1) } : { boxes: null, mark: null }) })] : [])), note);
  showProgress();
}

function exported() {
  const list = (of, name) => Object.entries(of).map(([id, facts]) => ({ [name]: id, ...facts }));
  return { kind: "odm review", version: 2, campaign: DATA.kind, fingerprint: DATA.id, against: DATA.against, model: DATA.model,
    strata: DATA.strata, queue: QUEUE.map(({ identity, stratum }) => ({ identity, stratum })),
    findings: list(marks.findings, "id"), inputs: list(marks.inputs, "identity") };
}

function exportMarks() {
  const blob = new Blob([JSON.stringify(exported(), null, 1)], { type: "application/json" });
  const link = element("a", { href: URL.createObjectURL(blob), download: `review-${DATA.id.slice(0, 12)}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

async function loadFile(event) {
  const say = (text) => { byId("kept").textContent = text; };
  try {
    const given = JSON.parse(await event.target.files[0].text());
    if (given.kind !== "odm review" || given.fingerprint !== DATA.id) { say("That file holds marks of another report."); return; }
    const beside = given.against === DATA.against; // what only B found is of another B otherwise
    const own = given.findings.filter((one) => beside || !one.id.startsWith("b:"));
    takeKept();
    takeMarks(marks, own.map((one) => [one.id, one]), given.inputs.map((one) => [one.identity, one]));
    keepMarks(); showMarks(); showDetail(); showCase(current);
  } catch { say("That file cannot be read as marks."); } finally {
    event.target.value = ""; // so that the same file can be loaded again
  }
}
