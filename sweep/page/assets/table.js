// The table of the selected rows, a page at a time.

const pageSize = 50;

// A long text is cut off in the table; the whole stands in the panel of the cell, and a reason under Failures.
const longest = 300;
const clipped = (text) => (text.length > longest ? text.slice(0, longest) + "…" : text);

class Table {
  constructor(parent) {
    this.parent = parent;
    this.sort = { name: "", down: false };
    this.page = 0;
    this.every = false;
    byId("prev").addEventListener("click", () => this.turn(-1));
    byId("next").addEventListener("click", () => this.turn(1));
    byId("all-columns").addEventListener("change", (e) => {
      this.every = e.target.checked;
      this.layout();
    });
    parent.addEventListener("pointerover", (e) => hover(this.rowAt(e)));
    parent.addEventListener("pointerleave", () => hover(-1));
    parent.addEventListener("click", (e) => {
      const row = this.rowAt(e);
      if (row >= 0) pin(row);
    });
  }

  rowAt(e) {
    const tr = e.target.closest("tbody tr");
    return tr ? Number(tr.dataset.row) : -1;
  }

  data() {
    this.layout();
  }

  names() {
    const has = (n) => columns.has(n);
    if (this.every)
      return ["cell"]
        .concat([...columns.keys()].filter((n) => n !== "cell" && columns.get(n).kind !== "list"))
        .filter(has);
    const main = [
      "nmse",
      has("mse") ? "mse" : "l2_loss",
      "l0",
      "auxk_loss",
      "dead_latents",
      "alive_fraction",
      "mcc",
      "recovery",
      has("tokens") && !columns.get("tokens").constant ? "tokens" : "",
      "device_seconds",
    ];
    const sweep = doc.sweeps.length > 1 || different("sweep").length > 1 ? ["sweep"] : [];
    return ["cell"].concat(sweep, varying(), main, ["status", "error"]).filter(has);
  }

  layout() {
    const names = this.names();
    const head = el("tr", null);
    for (const name of names) {
      const c = columns.get(name);
      const b = el("button", { type: "button", title: c.doc || null, onclick: () => this.sortBy(name) }, name);
      head.append(el("th", { scope: "col", class: c.kind === "text" ? "text" : null, "data-name": name }, b));
    }
    this.body = el("tbody", null);
    this.head = head;
    this.shown = names;
    this.parent.replaceChildren(el("table", null, el("thead", null, head), this.body));
    this.update();
  }

  sortBy(name) {
    if (this.sort.name !== name) this.sort = { name, down: false };
    else if (!this.sort.down) this.sort.down = true;
    else this.sort = { name: "", down: false }; // the grid's order
    this.page = 0;
    this.update();
    say(this.sort.name ? "sorted by " + name + (this.sort.down ? ", descending" : "") : "in the order of the grid");
  }

  // sorted returns the selected rows in the table's order. Rows without a value are last.
  sorted() {
    const rows = selectedRows();
    const c = columns.get(this.sort.name);
    if (!c) return rows;
    const sign = this.sort.down ? -1 : 1;
    const key =
      c.kind === "number"
        ? c.num
        : (row) => {
            const v = c.at(row);
            return v === null ? null : String(v);
          };
    const none = (v) => v === null || v === undefined || v !== v;
    return rows
      .map((row) => [key(row), row])
      .sort(([a, i], [b, j]) => {
        if (none(a) || none(b)) return none(a) - none(b) || i - j;
        return (a < b ? -sign : a > b ? sign : 0) || i - j;
      })
      .map(([, row]) => row);
  }

  turn(by) {
    this.page += by;
    this.update();
  }

  update() {
    if (!this.body) return;
    const rows = this.sorted();
    const pages = Math.max(1, Math.ceil(rows.length / pageSize));
    this.page = Math.min(Math.max(this.page, 0), pages - 1);
    const part = rows.slice(this.page * pageSize, (this.page + 1) * pageSize);
    this.body.replaceChildren(...part.map((row) => this.line(row)));
    if (!rows.length) {
      const text = doc.rows ? "No cell is selected." : "There are no cells.";
      this.body.append(
        el("tr", { "data-row": "-1" }, el("td", { class: "text", colspan: String(this.shown.length || 1) }, text)),
      );
    }
    byId("page").textContent = "page " + (this.page + 1) + " of " + pages;
    byId("prev").disabled = this.page === 0;
    byId("next").disabled = this.page >= pages - 1;
    for (const th of this.head.children) {
      const by = th.dataset.name === this.sort.name;
      if (by) th.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
      th.firstChild.textContent = th.dataset.name + (by ? (this.sort.down ? " ↓" : " ↑") : "");
    }
    this.pin();
  }

  line(row) {
    const tr = el("tr", { "data-row": String(row) });
    for (const name of this.shown) {
      const c = columns.get(name),
        v = name === "status" ? statusOf(row) : c.at(row);
      if (name === "cell") {
        const id = String(v ?? "").slice(0, 10) || "–";
        const about = { type: "button", class: "link mono", "aria-label": id + ": show cell " + label(row) };
        tr.append(el("td", { class: "text mono" }, el("button", about, id)));
        continue;
      }
      const setting = doc.fields.some((f) => f.key === name);
      const bad = name === "status" && v === "failed" ? " bad" : "";
      tr.append(
        el(
          "td",
          { class: (name === "error" ? "text error" : c.kind === "text" ? "text" : "") + bad || null },
          clipped(setting && v !== null ? String(v) : show(v)),
        ),
      );
    }
    return tr;
  }

  hover() {
    for (const tr of this.body ? this.body.children : [])
      tr.classList.toggle("hover", state.hover >= 0 && Number(tr.dataset.row) === state.hover);
  }

  pin() {
    const row = pinnedRow();
    for (const tr of this.body ? this.body.children : [])
      tr.classList.toggle("pinned", row >= 0 && Number(tr.dataset.row) === row);
  }
}
