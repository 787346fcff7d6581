// The server's numbers, as server-sent events. The browser reconnects by itself and says what it has seen.

/** Calls `onSample` with each sample, `onState` with `open` or `lost`. A hidden page does not listen. */
export function listen(onSample, onState = () => {}) {
  let source = null;
  let last = 0;

  function open() {
    source = new EventSource("/live/numbers");
    source.addEventListener("open", () => onState("open"));
    source.addEventListener("error", () => onState("lost"));
    source.addEventListener("sample", (event) => {
      const sample = JSON.parse(event.data);
      // A page that was hidden hears of the old ones again.
      if (sample.time <= last) return;
      last = sample.time;
      onSample(sample);
    });
  }

  function follow() {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source) {
      open();
    }
  }

  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => source?.close());
  follow();
}

const FORMATS = {
  requests: { maximumFractionDigits: 0 },
  lag: { minimumFractionDigits: 1, maximumFractionDigits: 1 },
  connections: { maximumFractionDigits: 0 },
  memory: { minimumFractionDigits: 1, maximumFractionDigits: 1 },
};

/** Writes a sample into the elements that are marked for it. */
export function show(sample) {
  for (const element of document.querySelectorAll("[data-number]")) {
    const key = element.dataset.number;
    element.textContent = sample[key].toLocaleString("en", FORMATS[key]);
  }
}
