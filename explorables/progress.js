/** <reading-progress>: what is answered and read, with export and reset. */
import { define, make } from "./base.js";
import { loadProgress, saveProgress } from "./store.js";

export class ReadingProgress extends HTMLElement {
  connectedCallback() {
    if (this.ready) return;
    this.ready = true;
    this.page = this.getAttribute("page");
    this.count = make("span", { class: "progress-count" });
    this.box = make("input", { type: "checkbox", onchange: () => this.tick() });
    this.note = make("p", { class: "progress-note", role: "status" });
    const file = make("input", { type: "file", accept: "application/json", hidden: true, onchange: () => this.restore(file) });
    const button = (text, onclick) => make("button", { type: "button", onclick }, text);
    this.append(
      make("h2", { class: "progress-title" }, "Your progress"),
      make("p", {}, make("label", {}, this.box, " I have read this chapter."), " ", this.count),
      make("p", { class: "progress-buttons" }, button("Save to a file", () => this.keep()),
        button("Load from a file", () => file.click()), button("Forget all", () => this.forget()), file),
      this.note,
    );
    document.addEventListener("bertbook-progress", () => this.show());
    this.show();
  }

  show() {
    const { quiz, read } = loadProgress();
    const total = Number(this.getAttribute("questions"));
    const right = Object.keys(quiz).filter((key) => key.startsWith(`${this.page}-`) && quiz[key].right).length;
    this.count.textContent = total ? `${right} of ${total} questions answered right.` : "";
    this.box.checked = Boolean(read[this.page]);
  }

  tick() {
    const progress = loadProgress();
    if (this.box.checked) progress.read[this.page] = true;
    else delete progress.read[this.page];
    saveProgress(progress);
  }

  keep() {
    const text = JSON.stringify(loadProgress(), null, 2);
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    make("a", { href: url, download: "bertbook-progress.json" }).click();
    URL.revokeObjectURL(url);
    this.note.textContent = "Saved as bertbook-progress.json.";
  }

  async restore(file) {
    try {
      const kept = JSON.parse(await file.files[0].text());
      saveProgress({ quiz: kept.quiz || {}, read: kept.read || {} });
      this.note.textContent = "Your progress was loaded.";
    } catch {
      this.note.textContent = "This file holds no progress of this book.";
    }
    file.value = "";
  }

  forget() {
    if (!window.confirm("Forget every answer and every tick?")) return;
    saveProgress({ quiz: {}, read: {} });
    this.note.textContent = "All progress was forgotten.";
  }
}

/** Tick the chapters in the side bar that the reader has read. */
export function tickSidebar() {
  const { read } = loadProgress();
  for (const link of document.querySelectorAll(".bd-sidebar-primary nav a")) {
    const found = /\/chapters\/([^/]+)\.html$/.exec(new URL(link.href, location.href).pathname);
    if (!found) continue;
    link.querySelector(".tick")?.remove();
    if (read[found[1]]) link.append(make("span", { class: "tick", role: "img", "aria-label": "read" }, "✓"));
  }
}

define("reading-progress", ReadingProgress);
document.addEventListener("bertbook-progress", tickSidebar);
tickSidebar();
