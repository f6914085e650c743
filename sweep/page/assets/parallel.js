// Parallel coordinates: an axis for each setting that varies and for the main results; a line is a cell.

class Parallel {
  constructor(parent) {
    this.parent = parent;
    this.boxes = new Map(); // by column: [from, to] in values
    this.svg = svg("svg", { role: "group", tabindex: "0", "aria-label": "Parallel coordinates" });
    parent.append(this.svg);
    this.listen();
  }

  names() {
    const results = ["l0", "dead_latents", "auxk_loss", "alive_fraction", "device_seconds", "nmse"];
    return varying()
      .filter((n) => n !== "activation_dim")
      .concat(results)
      .filter((n) => {
        const c = columns.get(n);
        return c && (different(n).length > 1 || n === "nmse");
      });
  }

  data() {
    this.layout();
  }

  // scaleOf gives a place to each value of a column; text has a place for each word.
  scaleOf(name, from, to) {
    const c = columns.get(name);
    if (c.kind !== "number") {
      const list = different(name);
      const s = newScale(
        list.map((_, i) => i),
        false,
        from,
        to,
      );
      return {
        value: (row) => {
          const i = list.indexOf(c.at(row));
          return i < 0 ? NaN : i;
        },
        ...s,
        ticks: list.map((_, i) => i),
        texts: list.map(String),
      };
    }
    const values = different(name),
      setting = doc.fields.some((f) => f.key === name);
    const least = values[0],
      most = values[values.length - 1];
    const log = least > 0 && most / least >= (setting ? 4 : 20);
    const marks = setting && values.length <= 8 ? values : null;
    const s = newScale(values, log, from, to, marks);
    return s && { value: (row) => num(name, row), ...s, texts: marks ? s.ticks.map(exact) : ticksText(s.ticks) };
  }

  layout() {
    const names = this.names();
    const height = 260,
      top = 30,
      bottom = 14;
    const width = Math.max(this.parent.clientWidth - 24, names.length * 84 + 40);
    this.width = width;
    this.svg.replaceChildren();
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", height);
    this.svg.setAttribute("viewBox", "0 0 " + width + " " + height);
    this.axes = names
      .map((name, i) => ({
        name,
        x: 54 + (i * (width - 108)) / Math.max(1, names.length - 1),
        scale: this.scaleOf(name, height - bottom, top),
      }))
      .filter((a) => a.scale);
    if (this.axes.length < 2) {
      this.axes = null;
      this.lines = [];
      this.svg.setAttribute("height", 40);
      this.svg.setAttribute("viewBox", "0 0 " + width + " 40");
      this.svg.append(svg("text", { x: 4, y: 24, class: "label" }, "There are no two columns to compare."));
      this.svg.setAttribute("aria-label", "Parallel coordinates: there are no two columns to compare.");
      return;
    }
    this.layers = {};
    for (const layer of ["dim", "on", "top"]) {
      this.layers[layer] = svg("g", {});
      this.svg.append(this.layers[layer]);
    }
    for (const a of this.axes) {
      this.svg.append(svg("path", { class: "axis", d: `M${fix(a.x)} ${top - 4}V${height - bottom}` }));
      this.svg.append(svg("text", { class: "label", x: fix(a.x), y: 14, "text-anchor": "middle" }, a.name));
      for (const [i, v] of a.scale.ticks.entries()) {
        this.svg.append(svg("text", { x: fix(a.x + 5), y: fix(a.scale.at(v) + 4) }, a.scale.texts[i]));
      }
      a.brush = svg("rect", { class: "brush", x: fix(a.x - 9), width: 18, y: 0, height: 0, visibility: "hidden" });
      const strip = svg("rect", {
        class: "strip",
        "data-axis": a.name,
        x: fix(a.x - 16),
        y: top - 6,
        width: 32,
        height: height - top - bottom + 12,
      });
      this.svg.append(a.brush, strip);
      this.dragging(a, strip, top, height - bottom);
      this.drawBrush(a);
    }
    this.place();
    this.svg.setAttribute(
      "aria-label",
      "Parallel coordinates of " +
        names.join(", ") +
        ". Arrow keys go from cell to cell; conditions of the filter do what a drag along an axis does.",
    );
    this.update();
    this.hover();
  }

  place() {
    this.colours = grouping(state.colour);
    this.lines = [];
    for (const row of state.visible) {
      let d = "",
        pen = "M";
      const points = [];
      for (const a of this.axes) {
        const y = fix(a.scale.at(a.scale.value(row)));
        if (!Number.isFinite(y)) {
          pen = "M";
          continue;
        } // no value: the line has a gap
        d += pen + fix(a.x) + " " + y;
        pen = "L";
        points.push([a.x, y]);
      }
      this.lines.push({ row, d, points, g: this.colours.of(row) });
    }
    this.drawn = state.visible;
    this.svg.classList.toggle("many", this.lines.length > 300); // smooth lines would take longer to draw
  }

  update() {
    if (!this.axes) return;
    if (this.drawn !== state.visible) this.place();
    const on = new Array(this.colours.count).fill("");
    let dim = "";
    for (const l of this.lines) {
      if (state.selected[l.row]) on[l.g] += l.d;
      else dim += l.d;
    }
    this.layers.dim.replaceChildren(svg("path", { class: "dim", d: dim || "M0 0" }));
    this.layers.on.replaceChildren(
      ...on.map((d, g) => d && svg("path", { class: "joined " + this.colours.colour(g), d })).filter(Boolean),
    );
  }

  hover() {
    if (!this.axes) return;
    const rows = [state.hover, pinnedRow()];
    this.layers.top.replaceChildren(
      ...this.lines
        .filter((l) => rows.includes(l.row))
        .map((l) => svg("path", { class: l.row === state.hover ? "ring" : "pin", d: l.d || "M0 0" })),
    );
  }

  dragging(a, strip, top, bottom) {
    let from = null;
    const at = (e) => {
      const r = this.svg.getBoundingClientRect();
      return Math.min(Math.max(((e.clientY - r.top) * 260) / r.height, top - 4), bottom + 2);
    };
    // Browsers ignore touch-action on a shape in a picture: without this a finger along an axis scrolls the page.
    strip.addEventListener("touchstart", (e) => e.preventDefault(), { passive: false });
    let before = null; // the box that was there
    strip.addEventListener("pointercancel", () => {
      if (from !== null) this.setBox(a, before);
      from = null;
    });
    strip.addEventListener("pointerdown", (e) => {
      from = at(e);
      before = this.boxes.get(a.name) || null;
      strip.setPointerCapture(e.pointerId);
    });
    strip.addEventListener("pointermove", (e) => {
      if (from === null) return;
      const to = at(e);
      if (Math.abs(to - from) < 4) return;
      this.setBox(
        a,
        [a.scale.back(from), a.scale.back(to)].sort((p, q) => p - q),
      );
    });
    strip.addEventListener("pointerup", (e) => {
      if (from !== null && Math.abs(at(e) - from) < 4) this.setBox(a, null);
      from = null;
    });
  }

  setBox(a, box) {
    if (box) this.boxes.set(a.name, box);
    else this.boxes.delete(a.name);
    this.drawBrush(a);
    brush("parallel " + a.name, box && this.test(a, box));
  }

  test(a, [from, to]) {
    return (row) => {
      const v = a.scale.value(row);
      return v >= from && v <= to;
    };
  }

  // rebrush has the brushes select among new data.
  rebrush() {
    this.layout();
    for (const [name, box] of this.boxes) {
      const a = (this.axes || []).find((a) => a.name === name);
      if (a) state.brushes.set("parallel " + name, this.test(a, box));
      else state.brushes.delete("parallel " + name);
    }
  }

  drawBrush(a) {
    const box = this.boxes.get(a.name);
    a.brush.setAttribute("visibility", box ? "visible" : "hidden");
    if (!box) return;
    const y = [a.scale.at(box[1]), a.scale.at(box[0])];
    a.brush.setAttribute("y", fix(y[0]));
    a.brush.setAttribute("height", fix(Math.max(0, y[1] - y[0])));
  }

  clearBrush() {
    this.boxes.clear();
    for (const a of this.axes || []) this.drawBrush(a);
  }

  listen() {
    let at = -1;
    this.svg.addEventListener("pointermove", (e) => {
      if (!this.axes || e.buttons) return;
      const r = this.svg.getBoundingClientRect();
      const x = e.clientX - r.left,
        y = e.clientY - r.top;
      let best = -1,
        least = 8;
      for (const l of this.lines) {
        const d = distance(l.points, x, y);
        if (d < least) {
          least = d;
          best = l.row;
        }
      }
      hover(best);
      tip(best, ["nmse", "l0", "status"], e.clientX, e.clientY);
    });
    this.svg.addEventListener("pointerleave", () => {
      hover(-1);
      tip(-1);
    });
    this.svg.addEventListener("click", () => {
      if (state.hover >= 0) pin(state.hover);
    });
    this.svg.addEventListener("keydown", (e) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
      if (e.key === "Escape") {
        this.clearBrush();
        for (const a of this.axes || []) brush("parallel " + a.name, null);
      }
      if (e.key === "Enter" && state.hover >= 0) pin(state.hover);
      if (!step || !this.lines.length) return;
      e.preventDefault();
      at = (at + step + this.lines.length) % this.lines.length;
      hover(this.lines[at].row);
      say(label(this.lines[at].row) + ", nmse " + show(value("nmse", this.lines[at].row)));
    });
  }
}

// distance of a point from a line between the two axes beside it, measured along y.
function distance(points, x, y) {
  for (let i = 1; i < points.length; i++) {
    const [x0, y0] = points[i - 1],
      [x1, y1] = points[i];
    if (x >= x0 && x <= x1) return Math.abs(y0 + ((y1 - y0) * (x - x0)) / (x1 - x0 || 1) - y);
  }
  return Infinity;
}
