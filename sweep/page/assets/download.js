// Downloads: the selected rows as CSV and JSON, a plot as SVG.

function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const a = el("a", { href: url, download: name });
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const fileName = (suffix) =>
  (doc.title
    .replace(/[^\w.-]+/g, "-")
    .replace(/^[-.]+|-+$/g, "")
    .slice(0, 60) || "results") + suffix;

// csvText writes all columns of the selected rows in the table's order. A missing value is empty.
function csvText(rows) {
  const names = [...columns.keys()];
  const quote = (v) => {
    if (v === null || v === undefined) return "";
    const text = Array.isArray(v) ? JSON.stringify(v) : String(v);
    return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  return [names, ...rows.map((row) => names.map((n) => value(n, row)))]
    .map((line) => line.map(quote).join(",") + "\n")
    .join("");
}

// jsonText writes the same as a list of objects. Integers that a script's numbers cannot hold keep all their digits.
function jsonText(rows) {
  const text = (c, v) => (c.kind === "number" && typeof v === "string" ? v : JSON.stringify(v ?? null));
  const line = (row) =>
    "{" + [...columns.values()].map((c) => JSON.stringify(c.name) + ":" + text(c, c.at(row))).join(",") + "}";
  return "[\n" + rows.map(line).join(",\n") + "\n]\n";
}

// downloadSVG saves a picture with the styles that it has now, so that it looks alike elsewhere.
function downloadSVG(picture, id, heading) {
  const copy = picture.cloneNode(true);
  const from = [picture, ...picture.querySelectorAll("*")],
    to = [copy, ...copy.querySelectorAll("*")];
  const kept = [
    "fill",
    "fill-opacity",
    "stroke",
    "stroke-width",
    "stroke-opacity",
    "stroke-dasharray",
    "font-size",
    "font-family",
    "visibility",
  ];
  from.forEach((e, i) => {
    const style = getComputedStyle(e);
    for (const key of kept) to[i].setAttribute(key, style.getPropertyValue(key));
    to[i].removeAttribute("class");
    to[i].removeAttribute("tabindex");
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const paper = svg("rect", {
    width: "100%",
    height: "100%",
    fill: getComputedStyle(document.documentElement).getPropertyValue("--card").trim(),
  });
  copy.prepend(svg("title", null, heading), paper);
  save(fileName("-" + id + ".svg"), "image/svg+xml", new XMLSerializer().serializeToString(copy));
}

function listenDownloads(table) {
  byId("get-csv").addEventListener("click", () => save(fileName(".csv"), "text/csv", csvText(table.sorted())));
  byId("get-json").addEventListener("click", () =>
    save(fileName(".json"), "application/json", jsonText(table.sorted())),
  );
}
