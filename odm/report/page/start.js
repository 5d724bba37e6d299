"use strict";
// Put the page together.

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  charts.forEach((chart) => chart.draw());
  world?.restyle();
}

function setView(name) {
  for (const one of ["explore", "review"]) {
    byId(one).hidden = one !== name;
    byId(`view-${one}`).setAttribute("aria-pressed", one === name);
  }
  if (name === "review") showCase(current);
  else { world?.resize(); table.draw(); }
}

function start() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
  byId("title").textContent = DATA.title;
  byId("caption").textContent = DATA.caption;
  byId("statement").textContent = DATA.statement;
  byId("notes").replaceChildren(...DATA.notes.map((text) => element("p", { text })));
  takeKept();
  buildCategories();
  buildCharts();
  table = new Table();
  if (COLUMNS.shown.map) world = new WorldMap(choose);
  if (COLUMNS.shown.timeline) world = new Timeline(choose);
  byId("case").setAttribute("aria-label", `the ${DATA.input} under review`);
  whenFiltered(() => { table.update(); world?.draw(); });
  refresh();
  buildReview();
  for (const name of ["explore", "review"]) byId(`view-${name}`).addEventListener("click", () => setView(name));
  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { charts.forEach((chart) => chart.draw()); world?.resize(); table.draw(); }, 120);
  });
  document.body.dataset.ready = "yes";
}
start();
