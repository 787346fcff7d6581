// Runs before anything is painted, so that a chosen theme is not preceded by the other.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("eyewall-theme");
  } catch {
    // A browser may refuse to store anything: then the system's preference holds.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
