// The filter: conditions such as k=8 nmse<0.2, separated by spaces or commas; all must hold.

// parseFilter returns a function of a row, or null for an empty text. It throws an Error that says what is wrong.
function parseFilter(text) {
  const tests = [];
  const skip = (t) => t.replace(/^[\s,]+/, "");
  for (let rest = skip(text); rest; ) {
    const [test, length] = readCondition(rest);
    tests.push(test);
    rest = skip(rest.slice(length));
  }
  return tests.length === 0 ? null : (row) => tests.every((t) => t(row));
}

// readCondition reads the condition at the beginning of a text. It returns a function of a row, and how many characters
// it has read.
function readCondition(text) {
  const m = /^([^\s,=<>!~^"]+)\s*(!=|\^=|<=|>=|==|=|<|>|~)(\s*)/.exec(text);
  if (!m) {
    const [word, length] = readValue(text);
    return [anywhere(word), length];
  }
  let [wanted, length, quoted] = readValue(text.slice(m[0].length));
  // In nmse= k=8 no value follows the first sign, but the next condition.
  if (m[3] && !quoted && /[=<>~]/.test(wanted)) [wanted, length] = ["", 0];
  return [condition(m[1], m[2] === "==" ? "=" : m[2], wanted), m[0].length + length];
}

// readValue reads a value: up to a space or a comma, or in quotation marks, where a doubled one stands for one.
function readValue(text) {
  const mark = text[0];
  if (mark !== '"' && mark !== "'") {
    const word = /^[^\s,]*/.exec(text)[0];
    return [word, word.length, false];
  }
  const m = (mark === '"' ? /^"((?:[^"]|"")*)"/ : /^'((?:[^']|'')*)'/).exec(text);
  if (!m) throw new Error("a quotation mark is not closed");
  return [m[1].replaceAll(mark + mark, mark), m[0].length, true];
}

// condition compares a column with a value. Where a row has no value in it, only = without a value holds.
function condition(name, sign, wanted) {
  const c = columns.get(name);
  if (!c && !knownEmpty(name)) {
    throw new Error("there is no column " + name + ": the columns are listed at the end of the page");
  }
  const at = c ? c.at : () => null;
  const has = (row) => at(row) !== null && at(row) !== undefined;
  if (wanted === "") {
    if (sign === "=") return (row) => !has(row);
    if (sign === "!=") return has;
    throw new Error(name + sign + ": a value is missing");
  }
  if (c && c.kind === "number" && sign !== "~" && sign !== "^=") {
    const to = Number(wanted.replaceAll("_", ""));
    if (to !== to) throw new Error(name + sign + wanted + ": " + name + " is a number, and " + wanted + " is none");
    const compare = {
      "=": (v) => v === to,
      "!=": (v) => v !== to,
      "<": (v) => v < to,
      "<=": (v) => v <= to,
      ">": (v) => v > to,
      ">=": (v) => v >= to,
    }[sign];
    return (row) => has(row) && compare(c.num(row));
  }
  const low = wanted.toLowerCase();
  const begins = name === "cell" || name === "run" || name === "sweep"; // IDs: a beginning is enough
  const equal = (v) => v === wanted || (begins && v.startsWith(wanted));
  const compare = {
    "~": (v) => v.toLowerCase().includes(low),
    "^=": (v) => v.startsWith(wanted),
    "=": equal,
    "!=": (v) => !equal(v),
    "<": (v) => v < wanted,
    "<=": (v) => v <= wanted,
    ">": (v) => v > wanted,
    ">=": (v) => v >= wanted,
  }[sign];
  return (row) => has(row) && compare(String(at(row)));
}

// knownEmpty says that a column has no value in any row, as error where no run has failed.
const knownEmpty = (name) => doc.empty.includes(name) || doc.fields.some((f) => f.key === name);

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
