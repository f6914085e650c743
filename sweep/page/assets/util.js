// What all scripts use: making elements, and writing numbers for people.

const byId = (id) => document.getElementById(id);

// el makes an element. Text is set as text, so that no value of the data is read as HTML.
function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

// svg makes an element of a picture.
function svg(name, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(e, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else e.setAttribute(key, value === true ? "" : value);
  }
  for (const c of children) if (c !== null && c !== undefined) e.append(c);
  return e;
}

// replace gives an element other children; null is none.
const replace = (e, ...children) => e.replaceChildren(...children.filter((c) => c !== null && c !== undefined));

// renew gives an element other children, unless they are like those that it has: text that is selected there stays so.
function renew(e, ...children) {
  const other = e.cloneNode(false);
  replace(other, ...children);
  if (!e.isEqualNode(other)) e.replaceChildren(...other.childNodes);
}

// show writes a number with at most four significant digits, or an integer in full.
function show(v) {
  if (v === null || v === undefined) return "–";
  if (typeof v !== "number") return String(v);
  const size = Math.abs(v);
  if (Number.isInteger(v) && size < 1e15) return grouped(String(v));
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) return tidy(v.toExponential(3));
  if (size >= 1e4) return grouped(String(Number(v.toPrecision(4))));
  return grouped(tidy(v.toPrecision(4)));
}

// exact writes a setting: no two that differ look alike.
function exact(v) {
  if (typeof v !== "number" || !Number.isFinite(v) || Number.isInteger(v)) return show(v);
  return tidy(String(v));
}

// tidy removes zeros behind the point that say nothing.
function tidy(text) {
  const [digits, exponent] = text.split("e");
  const short = digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
  return exponent === undefined ? short : short + "e" + exponent.replace("+", "");
}

function grouped(text) {
  const [whole, part] = text.split(".");
  const out = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return part === undefined ? out : out + "." + part;
}

// ticksText writes the numbers at an axis: as short as they can be told apart and are not moved by rounding.
function ticksText(list) {
  const gaps = list.slice(1).map((v, i) => Math.abs(v - list[i]));
  const most = 0.02 * Math.min(...gaps, Math.abs(list[0] || 1));
  const good = (digits) => list.every((v) => Math.abs(Number(v.toPrecision(digits)) - v) <= most);
  let digits = 2;
  while (digits < 12 && !good(digits)) digits++;
  return list.map((v) => tick(v, digits));
}

function tick(v, digits) {
  const size = Math.abs(v);
  if (size >= 1e6 || (size < 1e-3 && size > 0)) return tidy(v.toExponential(digits - 1));
  return Number.isInteger(v) ? grouped(String(v)) : grouped(tidy(v.toPrecision(digits)));
}

// large writes a count of which only the size matters: 20.48e9.
function large(v) {
  if (v === null || v < 1e9) return show(v);
  const power = Math.floor(Math.log10(v) / 3) * 3;
  return tidy((v / 10 ** power).toPrecision(4)) + "e" + power;
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return show(seconds) + " s";
  if (seconds < 99.95) return tidy(seconds.toPrecision(3)) + " s";
  const whole = Math.round(seconds),
    minutes = Math.round(seconds / 60);
  if (whole < 6000) return Math.floor(whole / 60) + " min " + (whole % 60) + " s";
  return grouped(String(Math.floor(minutes / 60))) + " h " + (minutes % 60) + " min";
}

function bytes(n) {
  if (n === null || n === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 999.5 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return tidy(n.toPrecision(3)) + " " + units[i];
}

const plural = (n, one, many) => show(n) + " " + (n === 1 ? one : many);

function pairs(list) {
  const out = el("dl", { class: "pairs" });
  for (const [key, value] of list) out.append(el("dt", null, key), el("dd", null, value));
  return out;
}

function debounceFrame(f) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      f();
    });
  };
}

const say = (text) => {
  byId("said").textContent = text;
};
