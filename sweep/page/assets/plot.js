// A plot of one column against another: a mark for each visible row. Rows that are not selected are dim. Each data set
// has lines of its own: errors on two of them do not compare.

const dashes = ["", "6 3", "2 2", "9 3 2 3"]; // of the lines of data sets
const dashed = (line, set) => {
  line.style.strokeDasharray = dashes[set % dashes.length] || "none";
  return line;
};

class Plot extends Brushed {
  // spec: id, heading, x and y ({name, log}), group (a column, or null for the one chosen above), joined (a line
  // through the least y of each x and group), front (a line of the rows that no other is better than in x and y).
  constructor(parent, spec) {
    super();
    this.spec = spec;
    this.id = spec.id;
    this.box = null; // of the brush, in values: [x0, x1, y0, y1]
    this.at = -1; // index in marks of the one that the keyboard is at
    this.logs = { x: spec.x.log, y: spec.y.log };
    this.svg = svg("svg", { role: "group", tabindex: "0" });
    this.note = el("p", { class: "axis-note" });
    this.legend = el("div", { class: "legend" });
    this.head = el("div", { class: "head" }, el("h3", { id: this.id + "-title" }, spec.heading));
    this.card = el("div", { class: "card plot", id: this.id }, this.head, this.svg, this.note, this.legend);
    this.controls();
    parent.append(this.card);
    this.listen();
    this.colours = null;
  }

  controls() {
    for (const axis of ["x", "y"]) {
      const b = el("button", { type: "button", onclick: () => this.toggle(axis, b) });
      b.setAttribute("aria-pressed", String(this.logs[axis]));
      b.setAttribute("aria-label", axis + " log: logarithmic " + axis + " axis of " + this.spec.heading);
      b.textContent = axis + " log";
      this.head.append(b);
    }
    this.head.append(
      el(
        "button",
        {
          type: "button",
          "aria-label": "Download SVG of " + this.spec.heading,
          onclick: () => downloadSVG(this.svg, this.id, this.spec.heading),
        },
        "SVG",
      ),
    );
  }

  toggle(axis, button) {
    this.logs[axis] = !this.logs[axis];
    button.setAttribute("aria-pressed", String(this.logs[axis]));
    this.layout();
  }

  group() {
    return grouping(this.spec.group || state.colour);
  }

  data() {
    const row = this.at >= 0 && this.marks[this.at] ? this.marks[this.at].row : -1;
    this.layout();
    this.at = this.marks.findIndex((m) => m.row === row); // the keyboard stays at its cell
  }

  // marks returns what is drawn: row, x and y in values.
  values() {
    const x = columns.get(this.spec.x.name),
      y = columns.get(this.spec.y.name);
    if (!x || !y) return [];
    const out = [];
    for (const row of state.visible) {
      const mark = { row, x: x.num(row), y: y.num(row) };
      if (Number.isFinite(mark.x) && Number.isFinite(mark.y)) out.push(mark);
    }
    return out;
  }

  size() {
    const width = Math.max(240, Math.floor(this.card.clientWidth - 22));
    return [width, Math.round(Math.min(330, Math.max(230, width * 0.66)))];
  }

  // layout draws all anew: scales, axes, and marks.
  layout() {
    this.drawn = state.visible;
    const [width, height] = this.size();
    this.width = width;
    this.height = height;
    const all = this.values();
    this.sx = newScale(
      all.map((m) => m.x),
      this.logs.x,
      space.left,
      width - space.right,
      this.ticksOf("x"),
    );
    this.sy = newScale(
      all.map((m) => m.y),
      this.logs.y,
      height - space.bottom,
      space.top,
      this.ticksOf("y"),
    );
    this.svg.replaceChildren();
    this.marks = [];
    const empty = !this.sx || !this.sy;
    const shown = empty ? 90 : height;
    this.svg.setAttribute("viewBox", "0 0 " + width + " " + shown);
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", shown);
    if (empty) {
      const log = (!this.sx && this.logs.x) || (!this.sy && this.logs.y);
      const cause = !all.length
        ? "No cell has values for this plot yet."
        : log
          ? "No value is above 0: a logarithmic axis cannot show any."
          : "The values are too far apart for an axis.";
      this.svg.append(svg("text", { x: width / 2, y: shown / 2, "text-anchor": "middle", class: "label" }, cause));
      this.svg.setAttribute("aria-label", this.spec.heading + ": " + cause);
      this.note.textContent = "";
      this.legend.replaceChildren();
      this.layers = null;
      return;
    }
    this.axes();
    this.place(all);
    this.layers = {};
    for (const name of ["dim", "joined", "on", "front", "top", "brush"]) {
      this.layers[name] = svg("g", { class: "layer-" + name });
      this.svg.append(this.layers[name]);
    }
    this.svg.append(
      svg("rect", {
        class: "area",
        x: space.left,
        y: space.top,
        width: width - space.left - space.right,
        height: height - space.top - space.bottom,
      }),
    );
    this.drawLegend();
    this.drawBrush();
    this.update();
    this.hover();
  }

  ticksOf(axis) {
    const name = this.spec[axis].name;
    return doc.fields.some((f) => f.key === name) ? different(name) : null;
  }

  axes() {
    const { width: w, height: h } = this;
    const bottom = h - space.bottom;
    let grid = "";
    const texts = { x: ticksText(this.sx.ticks), y: ticksText(this.sy.ticks) };
    for (const [i, v] of this.sx.ticks.entries()) {
      const x = fix(this.sx.at(v));
      grid += `M${x} ${space.top}V${bottom}`;
      this.svg.append(svg("text", { x, y: bottom + 15, "text-anchor": "middle" }, texts.x[i]));
    }
    for (const [i, v] of this.sy.ticks.entries()) {
      const y = fix(this.sy.at(v));
      grid += `M${space.left} ${y}H${w - space.right}`;
      this.svg.append(svg("text", { x: space.left - 6, y: y + 4, "text-anchor": "end" }, texts.y[i]));
    }
    this.svg.prepend(svg("path", { class: "grid", d: grid || "M0 0" }));
    this.svg.append(
      svg("rect", {
        class: "frame",
        x: space.left,
        y: space.top,
        width: w - space.left - space.right,
        height: bottom - space.top,
      }),
    );
    const middle = (space.top + bottom) / 2;
    this.svg.append(
      svg(
        "text",
        { class: "label x-label", x: (space.left + w - space.right) / 2, y: h - 6, "text-anchor": "middle" },
        this.label("x"),
      ),
      svg(
        "text",
        { class: "label y-label", transform: `translate(13 ${middle}) rotate(-90)`, "text-anchor": "middle" },
        this.label("y"),
      ),
    );
  }

  label(axis) {
    return title(this.spec[axis].name);
  }

  // place finds the pixels of the marks and what they look like, once for each layout.
  place(all) {
    this.colours = this.group();
    this.sets = grouping(dataSets().length ? "data" : null);
    const r = all.length > 400 ? 2.5 : all.length > 100 ? 3 : 4;
    let hidden = 0;
    for (const m of all) {
      const px = fix(this.sx.at(m.x)),
        py = fix(this.sy.at(m.y));
      if (!Number.isFinite(px) || !Number.isFinite(py)) {
        hidden++;
        continue;
      }
      const g = this.colours.of(m.row);
      const set = this.sets.of(m.row);
      this.marks.push({ row: m.row, x: m.x, y: m.y, px, py, g, set, d: this.colours.shape(g)(px, py, r) });
    }
    this.note.textContent = hidden
      ? plural(hidden, "cell is", "cells are") + " not shown: 0 and less have no place on a logarithmic axis."
      : "";
    const n = this.marks.length;
    this.svg.setAttribute(
      "aria-label",
      this.spec.heading +
        ": " +
        this.label("y") +
        " against " +
        this.label("x") +
        ", " +
        plural(n, "cell", "cells") +
        ". Arrow keys go from cell to cell.",
    );
  }

  drawLegend() {
    this.legend.replaceChildren();
    const g = this.colours;
    if (g.name && g.names.length > 1) {
      const many = g.names.length > 12;
      g.names.forEach((name, i) => {
        if (many && i % Math.ceil(g.names.length / 10) !== 0) return;
        this.legend.append(el("span", null, this.swatch(g, i), name));
      });
    }
    if (!this.spec.joined && !this.spec.front) return;
    this.sets.names.forEach((name, i) => {
      if (this.marks.some((m) => m.set === i)) this.legend.append(el("span", null, this.dash(i), name));
    });
  }

  dash(set) {
    const line = dashed(svg("path", { class: "dash", d: "M0 7H26" }), set);
    return svg("svg", { width: 26, height: 14, "aria-hidden": "true" }, line);
  }

  swatch(g, i) {
    return svg(
      "svg",
      { width: 14, height: 14, class: g.colour(i), "aria-hidden": "true" },
      svg("path", { class: "mark", d: g.shape(i)(7, 7, 4) }),
    );
  }

  // update shows what is selected. It only joins paths that layout has made.
  update() {
    if (this.stale()) {
      this.layout();
      return;
    }
    if (!this.layers) return;
    const on = new Array(this.colours.count).fill("");
    let dim = "";
    for (const m of this.marks) {
      if (state.selected[m.row]) on[m.g] += m.d;
      else dim += m.d;
    }
    this.layers.dim.replaceChildren(svg("path", { class: "dim", d: dim || "M0 0" }));
    this.layers.on.replaceChildren(
      ...on.map((d, g) => d && svg("path", { class: "mark " + this.colours.colour(g), d })).filter(Boolean),
    );
    if (this.spec.joined) this.drawJoined();
    if (this.spec.front) this.drawFront();
  }

  // stale says that other rows are visible than those that are laid out.
  stale() {
    return this.drawn && this.drawn !== state.visible;
  }

  drawJoined() {
    if (!this.marks.length) return;
    const best = new Map();
    for (const m of this.marks) {
      if (!state.selected[m.row]) continue;
      const key = m.set + " " + m.g;
      if (!best.has(key)) best.set(key, new Map());
      const of = best.get(key),
        was = of.get(m.x);
      if (!was || m.y < was.y) of.set(m.x, m);
    }
    const lines = [];
    for (const of of best.values()) {
      const points = [...of.values()].sort((a, b) => a.x - b.x);
      if (points.length > 1) {
        const { g, set } = points[0];
        const line = svg("path", {
          class: "joined " + this.colours.colour(g),
          d: "M" + points.map((m) => m.px + " " + m.py).join("L"),
        });
        lines.push(dashed(line, set));
      }
    }
    this.layers.joined.replaceChildren(...lines);
  }

  drawFront() {
    const points = this.marks.filter((m) => state.selected[m.row]).sort((a, b) => a.x - b.x || a.y - b.y);
    const fronts = new Map(); // by data set: the path, and the least y on it
    for (const m of points) {
      const of = fronts.get(m.set);
      if (!of) fronts.set(m.set, { d: `M${m.px} ${m.py}`, least: m.y });
      else if (m.y < of.least) {
        of.d += `H${m.px}V${m.py}`;
        of.least = m.y;
      }
    }
    const several = this.sets.names.length > 1;
    const lines = [...fronts].map(([set, { d }]) => {
      const line = svg("path", { class: "front", d });
      return several ? dashed(line, set) : line;
    });
    this.layers.front.replaceChildren(...lines);
  }

  hover() {
    if (!this.layers) return;
    const pinned = pinnedRow();
    const rings = this.marks.filter((m) => m.row === state.hover || m.row === pinned);
    this.layers.top.replaceChildren(
      ...rings.map((m) => svg("circle", { class: m.row === state.hover ? "ring" : "pin", cx: m.px, cy: m.py, r: 7 })),
    );
  }
}
