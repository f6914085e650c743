// What is said in words: the summary, settings and lineage, failures, and the cell that is chosen.

function drawSummary() {
  const count = (status) => {
    let n = 0;
    for (let r = 0; r < doc.rows; r++) if (value("status", r) === status) n++;
    return n;
  };
  const done = columns.has("status") ? count("completed") : doc.rows;
  const failed = count("failed"),
    canceled = count("canceled");
  const tiles = [
    [
      "cells",
      show(doc.rows),
      show(done) +
        " completed, " +
        show(failed) +
        " failed" +
        (canceled ? ", " + show(canceled) + " canceled" : "") +
        (doc.rows - done - failed - canceled ? ", " + show(doc.rows - done - failed - canceled) + " to do" : ""),
    ],
  ];
  const best = bestRow();
  if (best >= 0) tiles.push(["lowest nmse", show(value("nmse", best)), label(best)]);
  const sum = (name) => {
    let s = 0,
      any = false;
    for (let r = 0; r < doc.rows; r++) {
      const v = num(name, r);
      if (v === v) {
        s += v;
        any = true;
      }
    }
    return any ? s : null;
  };
  tiles.push(["tokens, all cells", large(sum("tokens"))]);
  const forests = doc.sweeps.map((s) => s.forest);
  if (forests.length) {
    const add = (key) => forests.reduce((n, f) => (f[key] === null ? n : (n ?? 0) + f[key]), null);
    const steps = add("steps"),
      less = add("steps_saved"),
      open = add("steps_open");
    tiles.push([
      "steps",
      show(steps),
      (less ? show(less) + " saved by sharing (" + ((steps + less) / steps).toFixed(2) + "× fewer)" : "none are shared") +
        (open ? "; no result tells of " + show(open) : ""),
    ]);
    const spent = add("spent_s");
    tiles.push([
      "device time",
      duration(spent),
      spent === null ? "the results do not tell it" : duration(add("saved_s")) + " saved by sharing",
    ]);
  } else if (columns.has("device_seconds")) tiles.push(["device time", duration(sum("device_seconds"))]);
  if (columns.has("peak_bytes"))
    tiles.push(["largest memory", bytes(Math.max(...different("peak_bytes"))), "on the device"]);
  renew(
    byId("summary"),
    ...tiles.map(([name, v, more]) =>
      el("div", null, el("dt", null, name), el("dd", null, v, more ? el("small", null, more) : null)),
    ),
  );
  byId("lede").textContent = doc.sweeps.map((s) => s.id).join(", ") || plural(doc.rows, "row", "rows") + " of files";
  const notes = doc.sweeps.flatMap((s) => s.warnings || []); // those on the data are among them
  renew(byId("notes"), ...[...new Set(notes)].map((n) => el("li", null, n)));
}

function bestRow() {
  let best = -1;
  for (let r = 0; r < doc.rows; r++) {
    const v = num("nmse", r);
    if (v === v && (best < 0 || v < num("nmse", best))) best = r;
  }
  return best;
}

// dataPairs says what a data set is, or the one of a sweep.
function dataPairs(set) {
  const i = set.info;
  const yaml = set.data
    .replace(/^data:\n/, "")
    .replace(/^ {2}/gm, "")
    .trimEnd();
  return [
    ["data", el("pre", null, yaml)],
    ["fingerprint", el("span", { class: "mono" }, i.fingerprint || "–")],
    ["rows", show(i.rows) + ", " + show(i.eval_rows) + " held out"],
    ["width", show(i.activation_dim) + (i.dtype ? ", " + i.dtype : "")],
    ["shards", show(i.shards) + ", " + bytes(i.bytes)],
    ["scale", show(i.scale)],
  ];
}

function drawSettings() {
  const box = el("div", { class: "two" });
  const same = doc.fields.filter((f) => columns.has(f.key) && columns.get(f.key).constant);
  box.append(
    el(
      "div",
      { class: "card" },
      el("h3", null, "Settings that vary"),
      varying().length ? pairs(varying().map((n) => [n, different(n).map(exact).join(", ")])) : el("p", null, "none"),
      el("h3", null, "Settings of all cells"),
      same.length ? pairs(same.map((f) => [f.key, String(columns.get(f.key).at(0))])) : el("p", null, "none"),
    ),
  );
  for (const s of doc.sweeps) {
    const card = el("div", { class: "card" }, el("h3", null, s.id));
    const own = [
      ["semantics", "version " + s.semantics],
      ["steps without sharing", show(s.steps_unshared)],
    ];
    for (const set of s.sets || []) {
      card.append(el("h3", null, "data " + set.name), pairs(dataPairs(set)));
    }
    card.append(pairs(s.sets ? own : [...dataPairs(s), ...own]));
    box.append(card);
  }
  const lineage = ["class", "classes", "mixed_classes", "device", "build", "semantics", "lm_name", "layer", "submodule_name", "data"].filter((n) =>
    columns.has(n),
  );
  if (lineage.length) {
    box.append(
      el(
        "div",
        { class: "card" },
        el("h3", null, "Lineage of the results"),
        pairs(
          lineage.map((n) => [
            n,
            el(
              "span",
              { class: n === "data" || n === "build" ? "mono" : null },
              different(n)
                .map((v) => String(v))
                .join(", "),
            ),
          ]),
        ),
      ),
    );
  }
  renew(byId("settings"), box);
}

function drawFailures() {
  const out = [];
  for (let r = 0; r < doc.rows; r++) {
    const error = value("error", r);
    if (!error && value("status", r) !== "failed") continue;
    out.push(
      el(
        "div",
        { class: "card failure" },
        el("h3", null, label(r)),
        el("p", { class: "hint mono" }, String(value("cell", r) ?? "") + "  " + String(value("status", r) ?? "")),
        el("pre", { tabindex: "0", "aria-label": "reason" }, String(error || "no reason is stored")),
      ),
    );
    if (out.length >= 200) {
      out.push(el("p", null, "More failures: filter the table by status=failed."));
      break;
    }
  }
  renew(byId("failures"), ...(out.length ? out : [el("p", null, "No cell has failed.")]));
}

function drawColumns() {
  renew(
    byId("columns"),
    ...[...columns.values()].flatMap((c) => [
      el("dt", null, c.name),
      el("dd", null, (c.doc || "") + (c.unit && c.unit !== "1" ? " [" + c.unit + "]" : "")),
    ]),
  );
}

// The panel of the cell that is chosen.
const details = {
  pin() {
    const row = pinnedRow(),
      box = byId("details");
    box.hidden = row < 0;
    if (row < 0) return;
    const close = el("button", { type: "button", "aria-label": "close the cell" }, "Close");
    close.addEventListener("click", () => pin(-1));
    const spans = doc.spansOf.get(row) || [];
    const open = !!box.querySelector("details[open]"); // stays so where newer data come
    const hidden = ["cell", "sweep", "error"];
    const has = (n) =>
      columns.has(n) && !hidden.includes(n) && columns.get(n).kind !== "list" && value(n, row) !== null;
    const main = table.names().filter(has);
    const rest = [...columns.keys()].filter((n) => has(n) && !main.includes(n));
    const line = (n) => [n, shown(n, row)];
    renew(
      box,
      el("div", { class: "head" }, el("h3", { id: "details-title" }, label(row)), close),
      el("p", { class: "hint mono" }, String(value("cell", row) ?? "")),
      value("error", row) ? el("p", { class: "error" }, String(value("error", row))) : null,
      pairs(main.map(line)),
      el("details", { open }, el("summary", null, "all columns"), pairs(rest.map(line))),
      histogram(value("density", row)),
      spans.length ? el("h3", null, "Who trained it") : null,
      ...spans.map((s) =>
        el(
          "p",
          { class: "hint" },
          "steps " +
            show(s[0]) +
            " to " +
            show(s[1]) +
            ": " +
            duration(s[3]) +
            (s[2] > 1 ? ", shared by " + show(s[2]) + " cells" : "") +
            [s[5], s[4], s[6]]
              .map((i) => doc.words[i])
              .filter(Boolean)
              .map((w) => ", " + w)
              .join(""),
        ),
      ),
    );
  },
  data() {
    this.pin();
  },
};

// histogram draws the latents by density.
function histogram(counts) {
  if (!Array.isArray(counts) || !counts.length) return null;
  const most = Math.max(...counts, 1),
    w = 300,
    h = 60,
    step = w / counts.length;
  let d = "";
  counts.forEach((n, i) => {
    if (n > 0) d += `M${fix(i * step)} ${h}V${fix(h - (n / most) * (h - 4))}h${fix(Math.max(step - 1, 0.5))}V${h}z`;
  });
  return el(
    "div",
    null,
    el("h3", null, "Density of latents"),
    el("p", { class: "hint" }, columns.get("density").doc),
    svg(
      "svg",
      {
        width: w,
        height: h,
        viewBox: `0 0 ${w} ${h}`,
        class: "c1",
        role: "img",
        "aria-label": "histogram of the density of latents: " + counts.join(", "),
      },
      svg("path", { class: "mark", d }),
    ),
  );
}
