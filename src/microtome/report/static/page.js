// What every page has: theme, explanations of terms, copying, and the arrow keys.
(function () {
  "use strict";
  const root = document.documentElement;
  const tooltip = document.getElementById("tooltip");
  const said = document.getElementById("said");

  function isDark() {
    if (root.dataset.theme) {
      return root.dataset.theme === "dark";
    }
    return window.matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function showTheme() {
    const button = document.getElementById("theme");
    button.setAttribute("aria-pressed", String(isDark()));
  }

  document.getElementById("theme").addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    root.dataset.theme = next;
    try {
      window.localStorage.setItem("microtome-theme", next);
    } catch (error) {
      said.textContent = "This browser does not remember the theme for local files.";
    }
    showTheme();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
  showTheme();

  // Explanations. The text also stands in the glossary, where aria-describedby finds it.
  function explain(term) {
    const meaning = document.getElementById(term.getAttribute("aria-describedby"));
    if (!meaning) {
      return;
    }
    tooltip.textContent = meaning.textContent;
    tooltip.hidden = false;
    const box = term.getBoundingClientRect();
    const room = document.documentElement.clientWidth - tooltip.offsetWidth - 12;
    const left = Math.max(12, Math.min(box.left, room));
    const below = box.bottom + 8 + tooltip.offsetHeight < window.innerHeight;
    const top = below ? box.bottom + 8 : Math.max(8, box.top - tooltip.offsetHeight - 8);
    tooltip.style.left = left + "px";
    tooltip.style.top = top + "px";
  }

  function hush() {
    tooltip.hidden = true;
  }

  function termOf(event) {
    return event.target instanceof Element ? event.target.closest(".term") : null;
  }

  for (const name of ["mouseover", "focusin", "click"]) {
    document.addEventListener(name, (event) => {
      const term = termOf(event);
      if (term) {
        explain(term);
      } else if (name === "click") {
        hush();
      }
    });
  }
  for (const name of ["mouseout", "focusout"]) {
    document.addEventListener(name, (event) => {
      if (termOf(event)) {
        hush();
      }
    });
  }
  window.addEventListener("scroll", hush, { passive: true });

  // Copying. The clipboard of a local file may be closed; then the text is selected for the user's own keys.
  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied.";
      button.textContent = "Copied";
    } catch (error) {
      const range = document.createRange();
      range.selectNodeContents(button.parentElement.querySelector("code"));
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      const done = document.execCommand("copy");
      button.textContent = done ? "Copied" : "Selected";
      said.textContent = done ? "Copied." : "Selected: press Control and C to copy.";
    }
    window.setTimeout(() => {
      button.textContent = "Copy";
    }, 2000);
  }

  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", () => copy(button));
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      hush();
      return;
    }
    const typing = event.target instanceof Element && event.target.closest("input, select, textarea, pre, .scroll");
    if (typing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) {
      return;
    }
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const link = document.querySelector(event.key === "ArrowLeft" ? 'a[rel="prev"]' : 'a[rel="next"]');
      if (link) {
        event.preventDefault();
        window.location.href = link.href;
      }
    } else if (event.key === "/") {
      const find = document.getElementById("find");
      if (find) {
        event.preventDefault();
        find.focus();
      }
    }
  });

  function openGlossary() {
    const glossary = document.getElementById("words");
    if (glossary && window.location.hash === "#words") {
      glossary.open = true;
      glossary.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", openGlossary);
  openGlossary();
})();
