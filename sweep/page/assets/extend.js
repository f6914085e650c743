// The command that extends a sweep at a fork: a grid of one new cell, which begins at the fork's checkpoint.

function extension(sweep, fork) {
  const row = fork.s.first;
  if (sweep.older) {
    return [el("p", null, "An earlier version planned this sweep: it takes no new cells. Submit its grid again.")];
  }
  const change = newSetting(sweep, fork);
  if (!change) return [el("p", null, "The cells behind this fork leave no room for a new one here.")];
  const grid = gridText(sweep, row, change);
  const text = "cat > extend.yaml <<'GRID'\n" + grid + "GRID\nsweep extend " + sweep.id + " extend.yaml";
  const copied = el("output", { "aria-live": "polite" });
  const copy = el("button", { type: "button" }, "Copy");
  copy.addEventListener("click", () =>
    copyText(text, pre).then((ok) => {
      copied.textContent = ok ? "copied" : "selected: copy it with the keyboard";
    }),
  );
  const pre = el("pre", { tabindex: "0", "aria-label": "command" }, text);
  return [
    el(
      "p",
      null,
      "A new cell with " +
        Object.entries(change)
          .map(([k, v]) => k + " = " + v)
          .join(", ") +
        " shares the first " +
        show(fork.s.to) +
        " steps with " +
        plural(fork.s.n, "cell", "cells") +
        (fork.s.sec === undefined ? "" : ", whose last stage took " + duration(fork.s.sec)) +
        ". Change the values as you like. Training begins at this fork, or at the last checkpoint before it that is " +
        "still in the store (sweep gc removes them). The command needs sweep up, and the --dir or --store of the sweep " +
        "if it has one.",
    ),
    pre,
    copy,
    " ",
    copied,
  ];
}

// newSetting chooses settings that no cell has and that leave the tree at the fork. Where the learning rate falls
// already only AuxK can differ; else decay_start can be any step that is not before the fork.
function newSetting(sweep, fork) {
  const row = fork.s.first,
    at = fork.s.to;
  const steps = num("steps", row);
  const rows = [];
  for (let r = sweep.first; r < sweep.first + sweep.cells; r++) if (sameFamily(row, r)) rows.push(r);
  if (fork.s.level === "schedule trunk") {
    const used = rows.map((r) => num("auxk_alpha", r));
    let alpha = Math.max(...used) * 2 || 0.03125;
    while (used.includes(alpha)) alpha *= 2;
    return { auxk_alpha: alpha };
  }
  const used = rows.filter((r) => num("steps", r) === steps).map((r) => num("decay_start", r));
  for (const part of [0.5, 0.25, 0.75, 0.375, 0.625, 0.125, 0.875]) {
    const decay = Math.round(at + (steps - 1 - at) * part);
    if (decay >= at && decay < steps - 1 && !used.includes(decay)) return { decay_start: decay };
  }
  let longer = steps * 2;
  while (rows.some((r) => num("steps", r) === longer)) longer += steps;
  return longer <= 1e9 ? { decay_start: steps, steps: longer } : null;
}

function sameFamily(a, b) {
  return doc.fields.every((f) => branching.includes(f.key) || value(f.key, a) === value(f.key, b));
}

// gridText writes a grid whose settings are those of a row, but for what changes.
function gridText(sweep, row, change) {
  let train = "";
  for (const f of doc.fields) {
    const v = value(f.key, row);
    if (f.key === "activation_dim" || f.key in change || v === null) continue;
    if (f.key === "data" && !sweep.sets) continue; // a fingerprint
    train += "  " + f.key + ": " + v + "\n";
  }
  const axes = Object.entries(change)
    .map(([key, v]) => "  " + key + ": [" + v + "]\n")
    .join("");
  return "name: " + sweep.name + "\n" + sweep.data + "parameters:\n" + axes + "train:\n" + train;
}

// copyText copies to the clipboard, or selects the text where the browser does not let it.
async function copyText(text, pre) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const range = document.createRange();
    range.selectNodeContents(pre);
    const now = getSelection();
    now.removeAllRanges();
    now.addRange(range);
    return false;
  }
}
