// What a person does in a plot: point, draw a rectangle that selects, go from mark to mark with the keyboard. Plot draws.

const space = { left: 62, right: 14, top: 10, bottom: 42 };

class Brushed {
  // rebrush has the brush select among new data.
  rebrush() {
    if (this.box) state.brushes.set(this.id, this.test(this.box));
  }

  nearest(x, y, within) {
    let best = null,
      least = within * within;
    this.marks.forEach((m, i) => {
      const d = (m.px - x) ** 2 + (m.py - y) ** 2;
      if (d < least) {
        least = d;
        best = { ...m, i };
      }
    });
    return best;
  }

  // place in the picture's own units of a pointer.
  pointer(e) {
    const r = this.svg.getBoundingClientRect();
    return [((e.clientX - r.left) * this.width) / r.width, ((e.clientY - r.top) * this.height) / r.height];
  }

  listen() {
    let from = null,
      moved = false,
      before = null; // the box that was there
    const clamp = ([x, y]) => [
      Math.min(Math.max(x, space.left), this.width - space.right),
      Math.min(Math.max(y, space.top), this.height - space.bottom),
    ];
    this.svg.addEventListener("pointerdown", (e) => {
      if (e.button !== 0 || !this.layers || !e.target.classList.contains("area")) return;
      from = this.pointer(e);
      moved = false;
      before = this.box;
      this.svg.setPointerCapture(e.pointerId);
    });
    this.svg.addEventListener("pointermove", (e) => {
      if (!this.layers) return;
      const at = this.pointer(e);
      if (from) {
        // A finger that moves up or down scrolls: so it selects a range of x, over the whole height.
        const touch = e.pointerType === "touch";
        moved = moved || Math.hypot(at[0] - from[0], touch ? 0 : at[1] - from[1]) > 4;
        if (moved && touch) this.setBox([clamp(from)[0], space.top], [clamp(at)[0], this.height - space.bottom]);
        else if (moved) this.setBox(clamp(from), clamp(at));
        return;
      }
      const near = this.nearest(at[0], at[1], 24);
      hover(near ? near.row : -1);
      tip(near ? near.row : -1, this.tipNames(), e.clientX, e.clientY);
    });
    const end = (e) => {
      if (!from) return;
      const at = this.pointer(e);
      from = null;
      if (e.type === "pointercancel") {
        this.box = before;
        this.drawBrush();
        brush(this.id, before && this.test(before));
        return;
      }
      if (moved) return;
      const near = this.nearest(at[0], at[1], 24);
      if (near) pin(near.row);
      else this.clearBrush(true);
    };
    this.svg.addEventListener("pointerup", end);
    this.svg.addEventListener("pointercancel", end);
    this.svg.addEventListener("pointerleave", () => {
      hover(-1);
      tip(-1);
    });
    this.svg.addEventListener("keydown", (e) => this.key(e));
    this.svg.addEventListener("blur", () => {
      this.at = -1;
      hover(-1);
      tip(-1);
    });
  }

  tipNames() {
    return [this.spec.y.name, this.spec.x.name, "status"];
  }

  key(e) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
    if (e.key === "Escape") this.clearBrush(true);
    if (e.key === "Enter" && state.hover >= 0) pin(state.hover);
    if (!step || !this.marks || !this.marks.length) return;
    e.preventDefault();
    this.at = (this.at + step + this.marks.length) % this.marks.length;
    const m = this.marks[this.at];
    hover(m.row);
    const r = this.svg.getBoundingClientRect();
    tip(m.row, this.tipNames(), r.left + m.px, r.top + m.py);
    say(label(m.row) + ", " + this.label("x") + " " + show(m.x) + ", " + this.label("y") + " " + show(m.y));
  }

  setBox(a, b) {
    const xs = [this.sx.back(a[0]), this.sx.back(b[0])].sort((p, q) => p - q);
    const ys = [this.sy.back(a[1]), this.sy.back(b[1])].sort((p, q) => p - q);
    this.box = [...xs, ...ys];
    this.drawBrush();
    brush(this.id, this.test(this.box));
  }

  // test returns whether a row has a mark in the box.
  test([x0, x1, y0, y1]) {
    return (row) => {
      const a = num(this.spec.x.name, row),
        b = num(this.spec.y.name, row);
      return a >= x0 && a <= x1 && b >= y0 && b <= y1;
    };
  }

  drawBrush() {
    if (!this.layers) return;
    if (!this.box) {
      this.layers.brush.replaceChildren();
      return;
    }
    const clampX = (v) => Math.min(Math.max(v || space.left, space.left), this.width - space.right);
    const clampY = (v) => Math.min(Math.max(v === v ? v : this.height, space.top), this.height - space.bottom);
    const x0 = clampX(this.sx.at(this.box[0])),
      x1 = clampX(this.sx.at(this.box[1]));
    const y0 = clampY(this.sy.at(this.box[3])),
      y1 = clampY(this.sy.at(this.box[2]));
    this.layers.brush.replaceChildren(
      svg("rect", {
        class: "brush",
        x: fix(x0),
        y: fix(y0),
        width: fix(Math.max(0, x1 - x0)),
        height: fix(Math.max(0, y1 - y0)),
      }),
    );
  }

  clearBrush(told) {
    if (!this.box) return;
    this.box = null;
    this.drawBrush();
    if (told) brush(this.id, null);
  }
}
