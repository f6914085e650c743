// What is shown and selected. Views add themselves with watch; a change calls what they have of
// data() after new data, layout() when sizes or scales change, update() when the selection changes, and hover().

const state = {
  filter: null, // function of a row, or null
  set: "", // the data set whose rows are visible; "" for all
  brushes: new Map(), // by view and axis: function of a row
  visible: [], // rows that pass the filter
  shown: new Uint8Array(0), // 1 for these
  selected: new Uint8Array(0), // 1 for those of them that all brushes select
  count: 0, // of the selected
  hover: -1,
  pinned: "", // a row, and the key of a row
  colour: "",
};
const views = [];
const watch = (view) => {
  views.push(view);
  return view;
};
const tell = (what) => {
  for (const v of views) if (v[what]) v[what]();
};

// select finds out which rows are visible and selected, and has all views show it. The time that it takes is measured:
// performance.getEntriesByName("select").
function select() {
  const began = performance.now();
  state.shown = new Uint8Array(doc.rows);
  state.selected = new Uint8Array(doc.rows);
  const visible = [];
  state.count = 0;
  const tests = [...state.brushes.values()];
  for (let row = 0; row < doc.rows; row++) {
    if (state.filter && !state.filter(row)) continue;
    if (state.set && String(value("data", row)) !== state.set) continue;
    state.shown[row] = 1;
    visible.push(row);
    if (tests.every((t) => t(row))) {
      state.selected[row] = 1;
      state.count++;
    }
  }
  // Views lay their marks out anew where the list is another one.
  const same = visible.length === state.visible.length && visible.every((row, i) => row === state.visible[i]);
  if (!same) state.visible = visible;
  tell("update");
  performance.clearMeasures("select");
  performance.measure("select", { start: began, end: performance.now() });
}
const selectSoon = debounceFrame(select);

function brush(key, test) {
  if (test) state.brushes.set(key, test);
  else if (!state.brushes.delete(key)) return;
  selectSoon();
}

function clearBrushes() {
  state.brushes.clear();
  for (const v of views) if (v.clearBrush) v.clearBrush();
  selectSoon();
}

// selectedRows returns the rows that the filter and all brushes select.
const selectedRows = () => state.visible.filter((row) => state.selected[row]);

function hover(row) {
  if (row === state.hover) return;
  state.hover = row;
  tell("hover");
}

const keyOf = (row) => (value("sweep", row) ?? "") + "/" + (value("cell", row) ?? row);

function pin(row) {
  state.pinned = row < 0 ? "" : keyOf(row);
  tell("pin");
  tell("hover");
}

function pinnedRow() {
  if (!state.pinned) return -1;
  for (let row = 0; row < doc.rows; row++) if (keyOf(row) === state.pinned) return row;
  return -1;
}

// tip shows a row's settings and some values beside the pointer.
function tip(row, names, x, y) {
  const box = byId("tip");
  box.hidden = row < 0;
  if (row < 0) return;
  const list = varying().concat(names.filter((n) => !varying().includes(n)));
  box.replaceChildren(pairs(list.map((n) => [n, shown(n, row)])));
  const w = box.offsetWidth,
    h = box.offsetHeight;
  const left = x + 14 + w > innerWidth ? x - w - 14 : x + 14;
  box.style.transform =
    "translate(" + Math.max(4, left) + "px," + Math.max(4, Math.min(y + 14, innerHeight - h - 4)) + "px)";
}
