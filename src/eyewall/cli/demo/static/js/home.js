import { Chart } from "./chart.js";
import { listen, show } from "./numbers.js";

const FLOORS = { requests: 5, lag: 5, connections: 4, memory: 10 };
const charts = new Map();
for (const element of document.querySelectorAll("[data-spark]")) {
  const key = element.dataset.spark;
  const options = { label: "The last minute", span: 60, height: 60, floor: FLOORS[key], axis: false };
  charts.set(key, new Chart(element, options));
}

// The storm turns with the traffic.
const storm = document.querySelector(".turning")?.getAnimations() ?? [];

listen((sample) => {
  show(sample);
  for (const [key, chart] of charts) chart.add(sample.time, sample[key]);
  for (const animation of storm) animation.updatePlaybackRate(1 + Math.log2(1 + sample.requests));
});
