// A served page asks its server for newer data, less often where no sweep runs. Filter, selection and place on the page
// stay.

function listenLive() {
  if (!doc.poll) return;
  let tag = "",
    timer = 0; // 0 while the server is asked
  const running = () => doc.sweeps.some((s) => s.live && ["training", "paused"].includes(s.live.state));
  const again = () => {
    timer = setTimeout(ask, running() ? doc.poll : 5 * doc.poll);
  };
  // What is drawn must not change under a finger or a button that is down.
  const pressed = () => document.documentElement.matches(":active");
  const ask = async () => {
    timer = 0;
    if (document.hidden) {
      again();
      return;
    }
    try {
      const answer = await fetch("data.json", { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (answer.ok) {
        const text = await answer.text();
        while (pressed()) await new Promise(requestAnimationFrame);
        tag = answer.headers.get("ETag") || "";
        showData(text);
      } else if (answer.status !== 304) throw new Error((await answer.text()).trim() || "status " + answer.status);
      showLive("");
    } catch (e) {
      showLive("There are no newer data (" + e.message + "); this is what the server said last.");
    }
    again();
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !timer) return;
    clearTimeout(timer);
    ask();
  });
  showLive("");
  again();
}

function showLive(trouble) {
  const box = byId("live");
  box.hidden = !doc.poll;
  box.className = trouble ? "error" : "live";
  const states = doc.sweeps
    .filter((s) => s.live)
    .map((s) => {
      const count = (state) => s.live.running.filter((r) => r.state === state).length;
      const words = ["training", "evaluating", "waiting", "paused"].filter(count);
      const cells = words.map((w, i) => (i ? show(count(w)) : plural(count(w), "cell", "cells")) + " " + w);
      return s.id + " is " + s.live.state + (cells.length ? ": " + cells.join(", ") : "");
    });
  const text = trouble || "Live: " + (states.join("; ") || "no sweep runs") + ".";
  if (box.textContent !== text) box.textContent = text;
}
