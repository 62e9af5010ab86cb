// Light or dark: as the system has it, or as chosen here and remembered. Runs before the page is drawn.
(() => {
  const KEY = "popscope-theme", root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: light)");
  const memory = (() => { try { return localStorage; } catch { return null; } })(); // may be forbidden
  const usual = () => (system.matches ? "light" : "dark");

  function apply(wanted) {
    root.dataset.theme = wanted ?? memory?.getItem(KEY) ?? usual();
    document.getElementById("theme")?.setAttribute("aria-pressed", String(root.dataset.theme === "light"));
    dispatchEvent(new Event("themechange"));
  }

  function toggle() {
    const wanted = root.dataset.theme === "light" ? "dark" : "light";
    // Who chooses what the system has follows the system again.
    if (wanted === usual()) memory?.removeItem(KEY);
    else memory?.setItem(KEY, wanted);
    apply(wanted);
  }

  apply();
  system.addEventListener("change", () => apply());
  addEventListener("storage", () => apply()); // chosen in another tab
  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", toggle);
    apply();
  });
})();
