// The page is put together here.

let plotsMade = null;
let forests = [];
let forestsDrawn = ""; // what they show
const table = watch(new Table(byId("table")));

function start() {
  readData(byId("data").textContent);
  plotsMade = makePlots(byId("plots"));
  watch(new Parallel(byId("parallel")));
  watch(details);
  chooseColour();
  chooseSet();
  listenDownloads(table);
  listenControls();
  draw();
  listenLive();
  let width = innerWidth;
  new ResizeObserver(
    debounceFrame(() => {
      if (innerWidth === width) return;
      width = innerWidth;
      tell("layout");
      for (const f of forests) f.layout();
    }),
  ).observe(document.body);
}

// draw shows all of the data anew.
function draw() {
  drawSummary();
  drawSettings();
  drawFailures();
  drawColumns();
  drawForests();
  applyFilter();
  tell("rebrush");
  select();
  tell("data");
}

// showData takes data that the server sent. Scroll position and focus stay.
function showData(text) {
  const place = scrollY;
  const focused = placeOf(document.activeElement);
  readData(text);
  chooseColour();
  chooseSet();
  draw();
  scrollTo(scrollX, place);
  const to = focused && elementAt(focused);
  if (to && document.activeElement === document.body) to.focus({ preventScroll: true });
}

// placeOf tells where an element stands, so that elementAt finds the one that is made in its place: the nearest element
// around it that has an ID, and the way down from there.
function placeOf(e) {
  const way = [];
  for (; e && !e.id; e = e.parentElement) way.unshift(e.parentElement ? [...e.parentElement.children].indexOf(e) : 0);
  return e && { id: e.id, way };
}

const elementAt = ({ id, way }) => way.reduce((e, i) => e && e.children[i], byId(id));

function drawForests() {
  const drawn = JSON.stringify(doc.sweeps.map((s) => [s.id, s.first, s.forest]));
  if (drawn === forestsDrawn) {
    doc.sweeps.forEach((s, i) => (forests[i].sweep = s));
    return;
  }
  forestsDrawn = drawn;
  byId("trees").hidden = doc.sweeps.length === 0;
  const chosen = forests.map((f) => (f.forks || []).findIndex((k) => k.circle.classList.contains("chosen")));
  const places = forests.map((f) => f.box.scrollTop);
  const list = byId("tree-list");
  list.replaceChildren();
  forests = doc.sweeps.map((s, i) => {
    const card = el("div", { class: "card" });
    list.append(card);
    const f = new Forest(card, s);
    if (chosen[i] >= 0 && f.forks && f.forks[chosen[i]]) f.choose(chosen[i]);
    f.box.scrollTop = places[i] || 0;
    return f;
  });
}

function chooseColour() {
  const names = varying();
  if (!names.includes(state.colour)) state.colour = names.includes("k") ? "k" : names[0] || "";
  const options = names.length ? names : [""];
  byId("colour").replaceChildren(...options.map((n) => el("option", { value: n }, n || "none")));
  byId("colour").value = state.colour;
}

function chooseSet() {
  const names = dataSets().map(String);
  if (!names.includes(state.set)) state.set = "";
  byId("sets").hidden = names.length < 2;
  byId("set").replaceChildren(...["", ...names].map((n) => el("option", { value: n }, n || "all")));
  byId("set").value = state.set;
}

function applyFilter() {
  const box = byId("filter"),
    out = byId("filter-error");
  try {
    state.filter = parseFilter(box.value);
    out.hidden = true;
    box.removeAttribute("aria-invalid");
  } catch (e) {
    out.hidden = false;
    out.textContent = e.message;
    box.setAttribute("aria-invalid", "true");
  }
}

function listenControls() {
  byId("filter").addEventListener(
    "input",
    debounceFrame(() => {
      applyFilter();
      select();
    }),
  );
  byId("colour").addEventListener("change", (e) => {
    state.colour = e.target.value;
    tell("layout");
  });
  byId("set").addEventListener("change", (e) => {
    state.set = e.target.value;
    select();
  });
  byId("clear").addEventListener("click", () => {
    byId("filter").value = byId("set").value = state.set = "";
    applyFilter();
    clearBrushes();
    pin(-1);
  });
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && state.pinned) pin(-1);
  });
  watch({
    update() {
      byId("count").textContent = show(state.count) + " of " + plural(doc.rows, "cell", "cells") + " selected";
      byId("clear").disabled = !byId("filter").value && !state.set && state.brushes.size === 0;
    },
  });
}

start();
