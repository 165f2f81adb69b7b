// Small repairs and comforts around the theme. Nothing here is needed to read.
(() => {
  "use strict";

  // The side bar's arrows have no name of their own.
  for (const arrow of document.querySelectorAll("li.has-children summary")) {
    const name = arrow.closest("li").querySelector("a")?.textContent.trim();
    arrow.setAttribute("aria-label", `Pages under ${name}`);
  }

  // A hidden cell's summary has a text, and a label that hides it.
  for (const summary of document.querySelectorAll("details.hide > summary")) {
    summary.removeAttribute("aria-label");
  }

  // The search field's label lacks the keys it shows (WCAG 2.5.3).
  for (const button of document.querySelectorAll(".search-button-field")) {
    button.removeAttribute("aria-label");
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

  // Paper is white: print in light colors, then return to the reader's.
  const root = document.documentElement;
  let chosen;
  window.addEventListener("beforeprint", () => {
    chosen = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", () => {
    root.dataset.theme = chosen;
  });

  // A search for a term finds the glossary many times: say which term.
  const results = document.getElementById("search-results");
  if (results) {
    new MutationObserver(() => {
      const links = "a[href*='#term-']:not([data-term])";
      for (const link of results.querySelectorAll(links)) {
        link.dataset.term = link.hash.slice("#term-".length);
        link.append(`: ${link.dataset.term.replaceAll("-", " ")}`);
      }
    }).observe(results, { childList: true, subtree: true });
  }

  // On disk: no archive beside the pages, and no reading of other pages for
  // the search's excerpts, which browsers forbid there.
  if (location.protocol === "file:") {
    DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
    document.querySelectorAll(".site-archive").forEach((part) => part.remove());
  }
})();
