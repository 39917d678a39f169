// Runs before the first paint, so that a page chosen dark never flashes light.
(function () {
  "use strict";
  let chosen = null;
  try {
    chosen = window.localStorage.getItem("microtome-theme");
  } catch (error) {
    chosen = null; // Storage may be forbidden for local files; the system's choice holds then.
  }
  if (chosen === "dark" || chosen === "light") {
    document.documentElement.dataset.theme = chosen;
  }
})();
