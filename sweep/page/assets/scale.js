// Scales from values to pixels, with ticks; colours and shapes of groups.

// newScale makes a scale over values. A logarithmic one has no place for values that are not positive: at gives NaN.
function newScale(values, log, from, to, marks) {
  let least = Infinity,
    most = -Infinity;
  for (const v of values) {
    if (!Number.isFinite(v) || (log && v <= 0)) continue;
    if (v < least) least = v;
    if (v > most) most = v;
  }
  if (least > most) return null;
  const up = log ? Math.log10 : (v) => v;
  let a = up(least),
    b = up(most);
  const pad = a === b ? (log ? 0.2 : Math.max(Math.abs(a) * 0.1, 1e-300) || 1) : (b - a) * 0.06;
  if (a === b && !log && a === 0) {
    a = -0.5;
    b = 1;
  } else {
    a -= pad;
    b += pad;
  }
  if (!log && least >= 0 && a < 0) a = most > 0 ? -(b * 0.02) : a;
  if (!Number.isFinite(b - a)) return null;
  const unit = (to - from) / (b - a);
  const at = (v) => (log && !(v > 0) ? NaN : from + (up(v) - a) * unit);
  const back = (p) => {
    const v = a + (p - from) / unit;
    return log ? 10 ** v : v;
  };
  return { at, back, log, ticks: ticks(a, b, log, Math.abs(to - from), marks, at) };
}

// ticks returns where an axis has ticks: at the values of a setting if they have room, else at round numbers.
function ticks(a, b, log, pixels, marks, at) {
  if (marks && marks.length <= 12) {
    const seen = marks.filter((v) => !log || v > 0);
    const places = seen.map(at);
    if (seen.length && places.every((p, i) => i === 0 || Math.abs(p - places[i - 1]) >= 32)) return seen;
  }
  const room = Math.max(2, Math.floor(pixels / 64));
  if (!log) return fewTicks(a, b, room);
  const out = [];
  const decades = b - a;
  const linear = (n) => fewTicks(10 ** a, 10 ** b, n).filter((v) => v > 0);
  if (decades < 0.7) return linear(room);
  const steps = decades <= room / 3 ? [1, 2, 5] : decades <= room / 2 ? [1, 3] : [1];
  const stride = steps.length > 1 ? 1 : Math.max(1, Math.ceil(decades / room));
  for (let e = Math.floor(a); e <= b; e++) {
    if (((e % stride) + stride) % stride !== 0) continue;
    for (const s of steps) {
      const v = Number(s + "e" + e);
      const p = Math.log10(v);
      if (p >= a && p <= b) out.push(v);
    }
  }
  const other = out.length > 1 ? [] : linear(2);
  return other.length > out.length ? other : out;
}

// fewTicks returns about as many ticks as there is room for, but two at least: one alone tells nothing of a scale.
function fewTicks(a, b, room) {
  let out = [];
  for (let n = room; n < room + 8 && out.length < 2; n++) out = linearTicks(a, b, n);
  return out;
}

function linearTicks(a, b, room) {
  const rough = (b - a) / room;
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((s) => s * power).find((s) => s >= rough) || rough;
  const out = [];
  for (let i = Math.ceil(a / step); i * step <= b && out.length < 40; i++) {
    out.push(Number((i * step).toPrecision(12)));
  }
  return out;
}

// shapes are paths around 0, 0. They tell groups apart where colours do not.
const shapes = [
  (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (x, y, r) => `M${x} ${fix(y - 1.2 * r)}l${fix(1.15 * r)} ${2 * r}h${fix(-2.3 * r)}z`,
  (x, y, r) =>
    `M${x} ${fix(y - 1.35 * r)}l${fix(1.35 * r)} ${fix(1.35 * r)}l${fix(-1.35 * r)} ${fix(1.35 * r)}` +
    `l${fix(-1.35 * r)} ${fix(-1.35 * r)}z`,
  (x, y, r) => `M${x} ${fix(y + 1.2 * r)}l${fix(1.15 * r)} ${-2 * r}h${fix(-2.3 * r)}z`,
  (x, y, r) => `M${x - r} ${y - r}l${2 * r} ${2 * r}M${x - r} ${y + r}l${2 * r} ${-2 * r}`,
  (x, y, r) => `M${fix(x - 1.2 * r)} ${y}h${fix(2.4 * r)}M${x} ${fix(y - 1.2 * r)}v${fix(2.4 * r)}`,
];
const fix = (v) => Math.round(v * 10) / 10;

// grouping tells the groups of a column: of each row the group's index, and of each group its name, colour and shape.
function grouping(name) {
  const values = name ? different(name) : [];
  const index = new Map(values.map((v, i) => [v, i]));
  const c = columns.get(name);
  const of = (row) => {
    if (!c) return 0;
    const i = index.get(c.kind === "number" ? c.num(row) : c.at(row));
    return i === undefined ? values.length : i;
  };
  const n = Math.max(values.length, 1);
  const colour = (i) =>
    i >= n ? "cx" : "c" + (n === 1 ? 1 : n <= 8 ? Math.round((i * 7) / (n - 1)) : Math.floor((i * 8) / n));
  const shape = (i) => shapes[i % shapes.length];
  const names = values.map((v) => name + " = " + exact(v));
  return { name, of, count: n + 1, names, colour, shape };
}
