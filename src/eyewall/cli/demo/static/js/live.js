import { Chart } from "./chart.js";
import { byId, showState } from "./dom.js";
import { ask } from "./http.js";
import { listen, show } from "./numbers.js";

const FLOORS = { requests: 10, lag: 10, connections: 10, memory: 10 };
const AT_ONCE = 8;

const charts = new Map();
for (const element of document.querySelectorAll("[data-chart]")) {
  const key = element.dataset.chart;
  const label = `${byId(`chart-${key}`).textContent}, over the last two minutes`;
  charts.set(key, new Chart(element, { label, floor: FLOORS[key] }));
}

listen(
  (sample) => {
    show(sample);
    for (const [key, chart] of charts) chart.add(sample.time, sample[key]);
  },
  (state) => showState(byId("state"), state, state === "open" ? "Live" : "Lost, trying again…"),
);

// -- traffic --------------------------------------------------------------------------------------------------

let busy = false;

async function askOn() {
  while (busy) {
    try {
      await (await fetch("/ping")).text();
    } catch {
      setTraffic(false);
      byId("outcome").textContent = "The server can’t be reached.";
    }
  }
}

function setTraffic(on) {
  busy = on;
  const button = byId("traffic");
  button.setAttribute("aria-pressed", String(on));
  button.textContent = on ? "Stop the traffic" : "Make traffic";
  if (on) for (let each = 0; each < AT_ONCE; each += 1) askOn();
}

byId("traffic").addEventListener("click", () => setTraffic(!busy));
document.addEventListener("visibilitychange", () => document.hidden && setTraffic(false));

// -- waiting --------------------------------------------------------------------------------------------------

for (const where of ["loop", "thread"]) {
  const button = byId(`block-${where}`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const { waited } = await ask("POST", `/api/block/${where}`);
      const said = where === "loop" ? "The loop stood still" : "A thread waited";
      byId("outcome").textContent = `${said} for ${Math.round(waited * 1000)} ms.`;
    } catch (error) {
      byId("outcome").textContent = error.message;
    }
    button.disabled = false;
  });
}
