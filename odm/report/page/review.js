"use strict";
// Marks of a person: kept in the browser, exported as JSON for `odm review import`.

const KEY = `odm-review:${DATA.id}`;
let marks = { regions: {}, half_orbits: {} };
let keeps = true;

function loadMarks() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
    if (kept && kept.regions && kept.half_orbits) marks = kept;
  } catch { keeps = false; }
}

function keepMarks() {
  try { localStorage.setItem(KEY, JSON.stringify(marks)); } catch { keeps = false; }
  byId("kept").textContent = keeps
    ? "Marks are kept in this browser; export them to use them."
    : "This browser keeps no marks for this page: export them before closing it.";
}

const idOf = (row) => (COLUMNS.other?.[row] ? "b:" : "") + COLUMNS.ids[row];
const markOfRow = (row) => marks.regions[idOf(row)];

function change(of, id, facts) {
  const now = { ...of[id], ...facts };
  for (const name of Object.keys(now)) if (now[name] === null || now[name] === "") delete now[name];
  if (Object.keys(now).length) of[id] = now; else delete of[id];
  keepMarks();
  table?.draw();
  showProgress();
}
function markRegion(row, mark) { change(marks.regions, idOf(row), { mark: markOfRow(row)?.mark === mark ? null : mark }); }
function noteRegion(row, note) { change(marks.regions, idOf(row), { note }); }

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
  return judged && Boolean(marks.half_orbits[entry.identity]?.mark);
}

function showProgress() {
  const done = QUEUE.filter(isDone).length;
  byId("progress").textContent = QUEUE.length
    ? `${done} of ${QUEUE.length} half-orbits done: mark each region, then say whether one was missed.`
    : "There is nothing to review: no half-orbit was searched.";
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
  byId("case").addEventListener("keydown", (event) => {
    if (event.target.tagName === "TEXTAREA") return;
    if (event.key === "n") showCase(current + 1);
    if (event.key === "p") showCase(current - 1);
  });
  keepMarks();
  showProgress();
}

function showCase(place) {
  if (!QUEUE.length) return;
  current = Math.max(0, Math.min(QUEUE.length - 1, place));
  const entry = QUEUE[current];
  const mark = marks.half_orbits[entry.identity] ?? {};
  const again = () => showCase(current);
  const set = (facts) => { change(marks.half_orbits, entry.identity, facts); again(); };
  const boxes = mark.boxes ?? [];
  const facts = pictures().orbits[entry.orbit];
  const whole = facts
    ? drawPicture(facts, [860, 330], { label: "the whole half-orbit, findings outlined", boxes, onbox: (box) => set({ mark: "something missed", boxes: [...boxes, box] }) })
    : element("p", { class: "hint", text: DATA.no_picture });
  const found = (rowsOf.get(entry.orbit) ?? []).map((row) => element("div", { class: "found" },
    element("strong", { text: COLUMNS.ids[row] + (COLUMNS.other?.[row] ? " (only B)" : "") }),
    element("span", { class: "hint", text: ` ${stamp(NUMBERS.time[row])}, ${number(NUMBERS.frequency_peak[row], 2, 1e-3)} kHz, confidence ${number(NUMBERS.confidence[row], 2)}` }),
    markButtons(markOfRow(row)?.mark, ["right", "wrong", "unsure"], (name) => { markRegion(row, name); again(); })));
  const note = element("textarea", { placeholder: "a note on this half-orbit", "aria-label": "note on this half-orbit", onchange: (event) => change(marks.half_orbits, entry.identity, { note: event.target.value }) });
  note.value = mark.note ?? "";
  byId("case").replaceChildren(
    element("h2", { text: `${current + 1} of ${QUEUE.length}: ${DATA.sources[entry.orbit]}` }), whole,
    element("p", { class: "hint", text: "Red: what was found. Drag over the picture to draw what was missed." }),
    ...found, element("strong", { text: "And the rest of it?" }),
    markButtons(mark.mark, ["nothing missed", "something missed"], (name) => set({ mark: mark.mark === name ? null : name, ...(name === "nothing missed" ? { boxes: null } : {}) })),
    element("div", { class: "buttons" },
      ...(boxes.length ? [element("button", { type: "button", text: `Remove the last of ${boxes.length} drawn`, onclick: () => set({ boxes: boxes.length > 1 ? boxes.slice(0, -1) : null }) })] : []),
      element("button", { type: "button", text: "Previous (p)", onclick: () => showCase(current - 1) }),
      element("button", { type: "button", text: "Next (n)", onclick: () => showCase(current + 1) })), note);
  showProgress();
}

function exported() {
  const list = (of, name) => Object.entries(of).map(([id, facts]) => ({ [name]: id, ...facts }));
  return { kind: "odm review", version: 1, fingerprint: DATA.id, against: DATA.against, model: DATA.model, strata: DATA.strata,
    queue: QUEUE.map(({ identity, stratum }) => ({ identity, stratum })),
    regions: list(marks.regions, "region_id"), half_orbits: list(marks.half_orbits, "identity") };
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
    for (const { region_id, ...facts } of given.regions) marks.regions[region_id] = facts;
    for (const { identity, ...facts } of given.half_orbits) marks.half_orbits[identity] = facts;
    keepMarks(); refresh(); showCase(current);
  } catch { say("That file cannot be read as marks."); }
}
