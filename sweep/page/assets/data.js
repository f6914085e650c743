// The data of the page: columns of values, a value for each row. A row is a cell of a sweep.

let doc; // what newDocument in build.go writes
let columns = new Map(); // by name: {name, kind, unit, doc, at(row), num(row)}

function readData(text) {
  doc = JSON.parse(text);
  columns = new Map();
  for (const c of doc.columns) columns.set(c.name, decode(c));
  doc.sweepOf = new Array(doc.rows).fill(null);
  for (const s of doc.sweeps) doc.sweepOf.fill(s, s.first, s.first + s.cells);
  doc.spansOf = new Map(doc.spans.map((s) => [s.row, s.list]));
  doc.runningOf = new Map();
  for (const s of doc.sweeps) {
    for (const r of (s.live && s.live.running) || []) doc.runningOf.set(s.first + r.cell, r);
  }
}

function decode(c) {
  let at;
  if ("all" in c) at = () => c.all;
  else if (c.words) at = (row) => (c.values[row] === null ? null : c.words[c.values[row]]);
  else at = (row) => c.values[row];
  // Integers that a number cannot hold are text.
  const num =
    c.kind === "number"
      ? (row) => {
          const v = at(row);
          return v === null || v === undefined ? NaN : Number(v);
        }
      : () => NaN;
  return { name: c.name, kind: c.kind, unit: c.unit || "", doc: c.doc || "", constant: "all" in c, at, num };
}

const value = (name, row) => {
  const c = columns.get(name);
  return c ? c.at(row) : null;
};
const num = (name, row) => {
  const c = columns.get(name);
  return c ? c.num(row) : NaN;
};

// statusOf is the state of a row for people: that of a cell in training says how far it is.
function statusOf(row) {
  const r = doc.runningOf.get(row);
  if (!r || value("status", row) === "completed") return value("status", row);
  const step = r.state === "training" && r.steps ? "step " + show(r.step) + " of " + show(r.steps) : "";
  const what = r.doing || step;
  const where = [r.host, r.device].filter(Boolean).join(", ");
  return r.state + (what && ": " + what) + (where && " on " + where);
}

// shown writes what a row has in a column. Settings are in full.
function shown(name, row) {
  if (name === "status") return String(statusOf(row));
  const v = value(name, row);
  return doc.fields.some((f) => f.key === name) ? exact(v) : show(v);
}

// varying lists the settings that differ between rows, in the order of the columns: that of the grid.
function varying() {
  const settings = doc.fields.map((f) => f.key);
  return [...columns.values()].filter((c) => !c.constant && settings.includes(c.name)).map((c) => c.name);
}

// dataSets lists the named data sets that rows train on; none where all train on one.
const dataSets = () => (varying().includes("data") ? different("data") : []);

// different returns the values of a column, each once, numbers ascending.
function different(name) {
  const c = columns.get(name);
  if (!c) return [];
  const out = new Set();
  for (let row = 0; row < doc.rows; row++) {
    const v = c.kind === "number" ? c.num(row) : c.at(row);
    if (v !== null && v === v) out.add(v);
  }
  return [...out].sort((a, b) => (typeof a === "number" ? a - b : a < b ? -1 : 1));
}

// label names a row by its settings that vary.
function label(row) {
  const parts = varying().map((key) => key + "=" + exact(value(key, row)));
  if (doc.sweeps.length > 1 && doc.sweepOf[row]) parts.unshift(doc.sweepOf[row].name);
  return parts.join("  ") || String(value("cell", row) || "cell " + row).slice(0, 10);
}

const units = {
  tokens: "tokens",
  params: "parameters",
  flops: "FLOP",
  flops_executed: "FLOP",
  device_seconds: "s",
  wall_seconds: "s",
  peak_bytes: "bytes",
  dict_size: "latents",
  k: "latents",
  l0: "latents",
  dead_latents: "latents",
  step: "steps",
  steps: "steps",
  lr: "",
  nmse: "",
};

// title names a column with its unit, as axes have it.
function title(name) {
  const c = columns.get(name);
  const unit = (c && c.unit) || units[name] || "";
  const names = { dict_size: "n, dictionary size", l0: "l0", auxk_loss: "AuxK loss", dead_latents: "dead latents" };
  return (names[name] || name) + (unit && unit !== "1" ? " (" + unit + ")" : "");
}
