// The curves of the runs: one series of the training against steps, tokens or operations.

class CurvePlot extends Plot {
  constructor(parent) {
    super(parent, {
      id: "curves",
      heading: "Curves",
      x: { name: "step", log: true },
      y: { name: "train_nmse", log: true },
    });
    const names = { step: "steps", tokens: "tokens", flops: "FLOP (dense-equivalent)" };
    this.pick("x", Object.keys(names), (n) => names[n]);
    this.pick("y", doc.series, (n) => (n === "nmse" ? "nmse, held out" : n));
  }

  pick(axis, list, text) {
    const s = el(
      "select",
      { "aria-label": "what the " + axis + " axis of the curves shows" },
      ...list.map((n) => el("option", { value: n }, text(n))),
    );
    s.value = this.spec[axis].name;
    s.addEventListener("change", () => {
      this.spec[axis].name = s.value;
      this.box = null;
      brush(this.id, null);
      this.layout();
    });
    this.head.querySelector("h3").after(s);
  }

  label(axis) {
    const name = this.spec[axis].name;
    if (axis === "x") return { step: "steps", tokens: "tokens", flops: "FLOP, dense-equivalent" }[name];
    return (
      {
        train_nmse: "train nmse",
        nmse: "nmse, held out",
        l2_loss: "l2_loss, mean ‖x̂−x‖²",
        auxk_loss: "AuxK loss",
        dead_latents: "dead latents (latents)",
        grad_norm: "gradient norm",
      }[name] || name
    );
  }

  ticksOf() {
    return null;
  }

  // points calls with the values of each point of a curve; x is steps, tokens or operations.
  each(c, f) {
    let ys = c.y[doc.series.indexOf(this.spec.y.name)];
    if (!ys && this.spec.y.name === "l2_loss" && c.l2) {
      ys = (c.y[doc.series.indexOf("train_nmse")] || []).map((v) => (v === null ? null : v * c.l2));
    }
    if (!ys) return;
    const unit = { step: 1, tokens: c.tok, flops: c.flop }[this.spec.x.name];
    const steps = doc.steps[c.at];
    for (let i = 0; i < steps.length; i++) {
      // The first step is 0: on a logarithmic axis it stands at half a step.
      if (ys[i] !== null) f(this.logs.x && steps[i] === 0 ? unit / 2 : steps[i] * unit, ys[i]);
    }
  }

  values() {
    const out = [];
    for (const c of doc.curves) {
      if (!state.shown[c.row]) continue;
      this.each(c, (x, y) => {
        if (Number.isFinite(x)) out.push({ row: c.row, x, y });
      });
    }
    return out;
  }

  place() {
    this.colours = this.group();
    this.lines = [];
    const sparse = this.spec.y.name === "nmse";
    let hidden = 0;
    for (const c of doc.curves) {
      if (!state.shown[c.row]) continue;
      let d = "",
        dots = "",
        last = null,
        pen = "M";
      const points = [];
      this.each(c, (x, y) => {
        const px = fix(this.sx.at(x)),
          py = fix(this.sy.at(y));
        if (!Number.isFinite(px) || !Number.isFinite(py)) {
          hidden++;
          return;
        }
        d += pen + px + " " + py;
        pen = "L";
        if (sparse) dots += shapes[0](px, py, 1.6);
        last = { px, py, x, y };
        points.push(last);
      });
      if (!last) continue;
      const g = this.colours.of(c.row);
      this.lines.push({ row: c.row, g, d, dots, points });
      this.marks.push({ row: c.row, g, ...last, d: "" });
    }
    this.svg.classList.toggle("many", this.lines.length > 300); // smooth lines would take longer to draw
    const kept = "Of each curve up to " + doc.points + " points are shown.";
    this.note.textContent = hidden ? kept + " Points at 0 and below have no place on a logarithmic axis." : kept;
    this.svg.setAttribute(
      "aria-label",
      "Curves: " +
        this.label("y") +
        " against " +
        this.label("x") +
        ", " +
        plural(this.lines.length, "run", "runs") +
        ". Arrow keys go from run to run.",
    );
  }

  swatch(g, i) {
    return svg(
      "svg",
      { width: 14, height: 14, class: g.colour(i), "aria-hidden": "true" },
      svg("path", { class: "curve", d: "M1 7H13" }),
    );
  }

  update() {
    if (this.stale()) {
      this.layout();
      return;
    }
    if (!this.layers) return;
    const on = new Array(this.colours.count).fill(""),
      dots = new Array(this.colours.count).fill("");
    let dim = "";
    for (const l of this.lines) {
      if (state.selected[l.row]) {
        on[l.g] += l.d;
        dots[l.g] += l.dots;
      } else dim += l.d;
    }
    this.layers.dim.replaceChildren(svg("path", { class: "dim", d: dim || "M0 0" }));
    const paths = [];
    on.forEach((d, g) => {
      if (d) paths.push(svg("path", { class: "curve " + this.colours.colour(g), d }));
      if (dots[g]) paths.push(svg("path", { class: "heldout " + this.colours.colour(g), d: dots[g] }));
    });
    this.layers.on.replaceChildren(...paths);
  }

  hover() {
    if (!this.layers) return;
    const rows = [state.hover, pinnedRow()];
    const paths = this.lines
      .filter((l) => rows.includes(l.row))
      .map((l) => svg("path", { class: l.row === state.hover ? "ring" : "pin", d: l.d }));
    this.layers.top.replaceChildren(...paths);
  }

  nearest(x, y, within) {
    let best = null,
      least = within * within;
    this.lines.forEach((l, i) => {
      for (const p of l.points) {
        const d = (p.px - x) ** 2 + (p.py - y) ** 2;
        if (d < least) {
          least = d;
          best = { row: l.row, i };
        }
      }
    });
    return best;
  }

  tipNames() {
    return ["nmse", "dead_latents", "status"];
  }

  test([x0, x1, y0, y1]) {
    const rows = new Set();
    for (const c of doc.curves) {
      this.each(c, (x, y) => {
        if (x >= x0 && x <= x1 && y >= y0 && y <= y1) rows.add(c.row);
      });
    }
    return (row) => rows.has(row);
  }
}
