// The views, in the order of the navigation. A view is loaded when it is first shown; its module says the same id, title
// and key. `single`: it tells of one process, also while "all" are selected.

export const VIEWS = [
  { id: "overview", title: "Overview", key: "o", load: () => import("./overview.js") },
  { id: "findings", title: "Findings", key: "f", load: () => import("./findings.js") },
  { id: "requests", title: "Requests", key: "r", load: () => import("./requests.js") },
  { id: "timeline", title: "Timeline", key: "t", single: true, load: () => import("./timeline.js") },
  { id: "tasks", title: "Tasks", key: "k", single: true, load: () => import("./tasks.js") },
  { id: "waits", title: "Waits", key: "w", single: true, load: () => import("./waits.js") },
  { id: "connections", title: "Connections", key: "c", load: () => import("./connections.js") },
  { id: "guard", title: "Guard", key: "g", load: () => import("./guard.js") },
  { id: "memory", title: "Memory", key: "m", single: true, load: () => import("./memory.js") },
  { id: "flames", title: "Flames", key: "l", single: true, load: () => import("./flames.js") },
];
