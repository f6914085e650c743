// The stages of a sweep as a picture. A box is a stage: it goes from its first step to its last, and it is as high as
// the cells that pass through it are many. Its first row is what was trained, the rest is what sharing saved.

class Forest {
  constructor(parent, sweep) {
    this.sweep = sweep;
    this.parent = parent;
    this.tip = byId("tip");
    const f = sweep.forest;
    this.box = el("div", {
      class: "tree-scroll",
      tabindex: "0",
      role: "region",
      "aria-label": "stages of " + sweep.id,
    });
    this.extend = el("div", { class: "extend", "aria-live": "polite" });
    const facts = [
      ["steps", show(f.steps) + " of " + show(f.steps + f.steps_saved) + " that the cells have; " + saved(f) + open(f)],
      [
        "time",
        f.spent_s === null
          ? "not known: no result of these cells tells it"
          : duration(f.spent_s) +
            " spent, " +
            duration(f.saved_s) +
            " saved" +
            (f.untimed ? "; " + plural(f.untimed, "stage has", "stages have") + " no time yet" : ""),
      ],
    ];
    if (f.alone.length) {
      facts.push([
        "alone",
        plural(f.alone.length, "cell shares", "cells share") +
          " no steps with others: " +
          show(f.alone_steps) +
          " steps" +
          (f.alone_s === null ? "" : ", " + duration(f.alone_s)),
      ]);
    }
    parent.append(el("h3", null, sweep.id), pairs(facts));
    if (f.trees.length) {
      parent.append(
        el(
          "p",
          { class: "hint" },
          swatch("once"),
          " trained once for several cells  ",
          swatch("alone"),
          " trained for one cell  ",
          swatch("saved"),
          " saved: not trained again  ",
          swatch("fork"),
          " fork: choose it for the command that extends the sweep there",
        ),
        this.box,
      );
    }
    parent.append(this.extend);
    this.box.addEventListener("pointermove", (e) => this.point(e));
    this.box.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
    });
    this.layout();
  }

  layout() {
    const f = this.sweep.forest;
    if (!f.trees.length) return;
    const cells = f.trees.reduce((n, t) => n + rowsOf(t), 0);
    const row = cells <= 64 ? 17 : cells <= 256 ? 9 : 4;
    const gap = 22,
      left = 8,
      right = 12;
    const width = Math.max(this.parent.clientWidth - 26, 300);
    const height = f.trees.length * gap + cells * row + 30;
    const last = Math.max(1, ...f.trees.flatMap((t) => t.stages.map((s) => s.to)));
    this.step = (v) => fix(left + (v / last) * (width - left - right));
    const out = svg("svg", {
      width,
      height,
      viewBox: "0 0 " + width + " " + height,
      role: "group",
      "aria-label":
        "Stages of " +
        this.sweep.id +
        ": " +
        plural(f.trees.length, "tree", "trees") +
        ". Arrow keys go from fork to fork.",
    });
    const saved = [],
      once = [],
      alone = [],
      texts = [],
      forks = [];
    this.boxes = [];
    let top = 0;
    for (const t of f.trees) {
      texts.push(svg("text", { x: left, y: top + 15 }, familyLabel(t)));
      top += gap;
      top = this.drawTree(t, top, row, { saved, once, alone, texts, forks });
    }
    out.append(
      svg("path", { class: "saved", d: saved.join("") || "M0 0" }),
      svg("path", { class: "once", d: once.join("") || "M0 0" }),
      svg("path", { class: "once alone", d: alone.join("") || "M0 0" }),
      ...texts,
      this.axis(last, top),
      ...forks.map((k) => k.circle),
    );
    this.forks = forks;
    forks.forEach((k, i) => {
      k.circle.addEventListener("click", () => this.choose(i));
      k.circle.addEventListener("keydown", (e) => this.key(e, i));
    });
    if (forks.length) forks[0].circle.setAttribute("tabindex", "0");
    this.box.replaceChildren(out);
  }

  // drawTree draws the stages of a tree from top down and returns where the next begins.
  drawTree(t, top, row, to) {
    const children = t.stages.map(() => []);
    const roots = [];
    t.stages.forEach((s, i) => (s.up < 0 ? roots : children[s.up]).push(i));
    const place = (i, y) => {
      const s = t.stages[i],
        h = s.n * row,
        x0 = this.step(s.from),
        x1 = this.step(s.to);
      const w = Math.max(fix(x1 - x0 - 1), 1),
        pad = row > 6 ? 1 : 0;
      const strip = Math.max(row - pad - 1, 2);
      if (s.n > 1) to.saved.push(`M${x0} ${y}h${w}v${h - pad}h${-w}z`);
      (s.n > 1 ? to.once : to.alone).push(`M${x0} ${y}h${w}v${strip}h${-w}z`);
      this.boxes.push({ x0, x1, y0: y, y1: y + h, s });
      if (row >= 14) this.write(s, x0, y, w, strip, to.texts);
      let below = y;
      for (const c of children[i]) below = place(c, below);
      if (children[i].length > 1 || (children[i].length === 1 && s.n > 1)) {
        const cy = fix(y + Math.min(h / 2, row / 2));
        const what = "fork at step " + show(s.to) + ", shared by " + plural(s.n, "cell", "cells");
        to.forks.push({
          s,
          next: children[i].map((c) => t.stages[c]),
          t,
          circle: svg("circle", {
            class: "fork",
            cx: x1,
            cy,
            r: row >= 9 ? 5 : 3,
            tabindex: "-1",
            role: "button",
            "aria-label": what,
          }),
        });
      }
      return y + h;
    };
    for (const r of roots) top = place(r, top);
    return top;
  }

  write(s, x, y, w, strip, texts) {
    const time = s.sec === undefined ? "" : duration(s.sec);
    const long =
      (s.n > 1 ? plural(s.n, "cell", "cells") + "  " : "") +
      time +
      (s.n > 1 && time ? ", saves " + duration(s.sec * (s.n - 1)) : "");
    const text = [long, time].find((v) => v && v.length * 6.2 + 18 < w);
    if (text) texts.push(svg("text", { class: "on", x: x + 9, y: y + strip - 4 }, text));
    if (s.cells && s.n === 1) {
      const name = leafLabel(s.cells[0]);
      const from = text ? text.length * 6.2 + 22 : 9;
      if (name.length * 6.2 + from + 6 < w)
        texts.push(svg("text", { class: "on", x: x + w - 5, y: y + strip - 4, "text-anchor": "end" }, name));
    }
  }

  axis(last, top) {
    const g = svg("g", null);
    const list = linearTicks(0, last, 6),
      texts = ticksText(list);
    const end = this.step(last) - 50; // where the name of the axis begins
    for (const [i, v] of list.entries()) {
      const x = Math.max(this.step(v), 14);
      if (x < end) g.append(svg("text", { x, y: top + 16, "text-anchor": "middle" }, texts[i]));
    }
    g.append(svg("text", { class: "label", x: this.step(last), y: top + 16, "text-anchor": "end" }, "steps"));
    return g;
  }

  point(e) {
    const r = this.box.firstChild && this.box.firstChild.getBoundingClientRect();
    const x = e.clientX - (r ? r.left : 0),
      y = e.clientY - (r ? r.top : 0);
    const hit = r && this.boxes.find((b) => x >= b.x0 && x < b.x1 && y >= b.y0 && y < b.y1);
    this.tip.hidden = !hit;
    if (!hit) return;
    const s = hit.s;
    const list = [
      ["stage", s.level],
      ["steps", show(s.from) + " to " + show(s.to)],
      ["cells", show(s.n)],
      ["spent", duration(s.sec)],
    ];
    if (s.n > 1)
      list.push([
        "saved",
        s.sec === undefined ? show((s.to - s.from) * (s.n - 1)) + " steps" : duration(s.sec * (s.n - 1)),
      ]);
    if (s.cells) list.push(["ends", s.n === 1 ? label(s.cells[0]) : plural(s.n, "cell", "cells")]);
    this.tip.replaceChildren(pairs(list));
    const left = Math.min(e.clientX + 14, innerWidth - this.tip.offsetWidth - 6);
    this.tip.style.transform =
      "translate(" +
      Math.max(4, left) +
      "px," +
      Math.max(4, Math.min(e.clientY + 14, innerHeight - this.tip.offsetHeight - 4)) +
      "px)";
  }

  key(e, i) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
    if (e.key === "Enter" || e.key === " ") {
      e.preventDefault();
      this.choose(i);
    }
    if (!step) return;
    e.preventDefault();
    const to = this.forks[(i + step + this.forks.length) % this.forks.length].circle;
    this.forks[i].circle.setAttribute("tabindex", "-1");
    to.setAttribute("tabindex", "0");
    to.focus();
  }

  choose(i) {
    this.forks.forEach((k, j) => k.circle.classList.toggle("chosen", i === j));
    this.extend.replaceChildren(...extension(this.sweep, this.forks[i]));
  }
}

const swatch = (name) => el("span", { class: "swatch " + name });
const rowsOf = (t) => t.stages.filter((s) => s.up < 0).reduce((n, s) => n + s.n, 0);
const open = (f) => (f.steps_open ? "; no result tells of " + show(f.steps_open) : "");
const saved = (f) => (f.steps_saved ? show(f.steps_saved) + " saved by sharing" : "none are shared");

// In a tree these settings may differ; all others are those of the tree.
const branching = ["decay_start", "steps", "auxk_alpha", "k_aux"];

function familyLabel(t) {
  const row = t.stages[0].first;
  const names = varying().filter((n) => !branching.includes(n));
  return names.map((n) => n + "=" + exact(value(n, row))).join("  ") || "all cells";
}

function leafLabel(row) {
  return varying()
    .filter((n) => branching.includes(n))
    .map((n) => n + "=" + exact(value(n, row)))
    .join(" ");
}
