// The filter: conditions such as k=8 nmse<0.2, separated by spaces or commas; all must hold.

// parseFilter returns a function of a row, or null for an empty text. It throws an Error that says what is wrong.
function parseFilter(text) {
  const tests = words(text).map(condition);
  return tests.length === 0 ? null : (row) => tests.every((t) => t(row));
}

// words splits at spaces and commas, except within double quotes. Spaces around a sign are left out.
function words(text) {
  const out = [];
  const tight = text.replace(/\s*(!=|<=|>=|==|=|<|>|~)\s*/g, "$1");
  let word = "",
    quoted = false;
  for (const ch of tight) {
    if (ch === '"') quoted = !quoted;
    else if (!quoted && (/\s/.test(ch) || ch === ",")) {
      if (word) out.push(word);
      word = "";
    } else word += ch;
  }
  if (quoted) throw new Error("a quotation mark is not closed");
  if (word) out.push(word);
  return out;
}

function condition(word) {
  const m = /^([^=<>!~]+)(!=|<=|>=|==|=|<|>|~)(.*)$/.exec(word);
  if (!m) return anywhere(word);
  const [, name, sign, wanted] = m;
  const c = columns.get(name);
  if (!c) {
    if (knownEmpty(name))
      return () => (sign === "!=" ? wanted !== "" : (sign === "=" || sign === "==") && wanted === "");
    throw new Error("there is no column " + name + ": the columns are listed at the end of the page");
  }
  if (wanted === "" && sign !== "=" && sign !== "==" && sign !== "!=") throw new Error(word + ": a value is missing");
  if (sign === "~")
    return (row) =>
      String(c.at(row) ?? "")
        .toLowerCase()
        .includes(wanted.toLowerCase());
  const none = wanted === "";
  if (c.kind === "number" && !none) {
    const to = Number(wanted.replaceAll("_", ""));
    if (to !== to) throw new Error(word + ": " + name + " is a number, and " + wanted + " is none");
    const tests = {
      "=": (v) => v === to,
      "==": (v) => v === to,
      "!=": (v) => v !== to,
      "<": (v) => v < to,
      "<=": (v) => v <= to,
      ">": (v) => v > to,
      ">=": (v) => v >= to,
    };
    return (row) => tests[sign](c.num(row));
  }
  const text = (row) => String(c.at(row) ?? "");
  const begins = name === "cell" || name === "run" || name === "sweep"; // IDs: a beginning is enough
  const equal = (row) => text(row) === wanted || (begins && !none && text(row).startsWith(wanted));
  const tests = {
    "=": equal,
    "==": equal,
    "!=": (row) => !equal(row),
    "<": (row) => text(row) < wanted,
    "<=": (row) => text(row) <= wanted,
    ">": (row) => text(row) > wanted,
    ">=": (row) => text(row) >= wanted,
  };
  return tests[sign];
}

// knownEmpty says that a column is known but has no value in any row, as error where no run has failed.
const knownEmpty = (name) =>
  ["error", "nmse", "status", "recovery"].includes(name) || doc.fields.some((f) => f.key === name);

// anywhere looks for a word in every text of a row.
function anywhere(word) {
  const texts = [...columns.values()].filter((c) => c.kind === "text");
  const low = word.toLowerCase();
  return (row) =>
    texts.some((c) =>
      String(c.at(row) ?? "")
        .toLowerCase()
        .includes(low),
    );
}
