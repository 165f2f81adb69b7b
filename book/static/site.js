// Small repairs and comforts around the theme. Nothing here is needed to read.
(() => {
  "use strict";

  // The theme's menu labels lack the text they show (WCAG 2.5.3).
  for (const control of document.querySelectorAll("[aria-label]")) {
    const shown = control.innerText?.trim();
    const label = control.getAttribute("aria-label");
    const named = "a, button, label, summary";
    if (!shown || !control.matches(named)) continue;
    if (!label.toLowerCase().includes(shown.toLowerCase())) {
      control.setAttribute("aria-label", `${shown}: ${label}`);
    }
  }

  // Wide tables scroll by themselves, also by keyboard.
  for (const table of document.querySelectorAll(".bd-article table")) {
    if (table.closest(".table-scroll, details.raw")) continue;
    const frame = document.createElement("div");
    frame.className = "table-scroll";
    table.replaceWith(frame);
    frame.append(table);
  }
  const wide = ".table-scroll, .cell_output .output, pre, mjx-container[display]";
  const reach = () => {
    for (const box of document.querySelectorAll(wide)) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    }
  };
  reach();
  window.addEventListener("load", reach);
  window.addEventListener("resize", reach);

  // Glossary links: the title becomes a card that opens on focus too.
  if (window.tippy) {
    for (const link of document.querySelectorAll("a.term-link[title]")) {
      const text = link.title;
      link.removeAttribute("title");
      window.tippy(link, { content: text, maxWidth: 340, theme: "book" });
    }
  }

  // A copy on disk does not hold the archive it came from.
  if (location.protocol === "file:") {
    document.querySelectorAll(".site-archive").forEach((part) => part.remove());
  }
})();
