/** <quiz-item>: one question; its Markdown is already on the page. */
import { define, make } from "./base.js";
import { loadProgress, saveProgress } from "./store.js";

/** Return an option's words, with formulas as their TeX source. */
function spoken(text) {
  return text.textContent.replace(/\\[()]/g, " ").replace(/\s+/g, " ").trim();
}

export class QuizItem extends HTMLElement {
  connectedCallback() {
    if (this.ready) return;
    this.ready = true;
    this.key = this.getAttribute("key");
    const question = this.querySelector(".quiz-question");
    question.id = `${this.key}-question`;
    this.setAttribute("role", "radiogroup");
    this.setAttribute("aria-labelledby", question.id);
    question.prepend(make("p", { class: "quiz-title" }, "Check yourself"));
    this.options = [...this.querySelectorAll(".quiz-option")].map((option) => this.prepare(option));
    this.button = make("button", { type: "button", class: "quiz-check", onclick: () => this.answer() }, "Check");
    this.feedback = make("div", { class: "quiz-feedback", "aria-live": "polite" });
    this.append(this.button, this.feedback);
    document.addEventListener("bertbook-progress", () => this.recall());
    this.recall();
  }

  prepare(option) {
    const why = option.querySelector(".quiz-why");
    why.querySelector("summary").remove();
    const text = make("div", { class: "quiz-text" });
    why.remove();
    text.append(...option.childNodes);
    const input = make("input", { type: "radio", name: this.key, "aria-label": spoken(text),
      onchange: () => this.mark(), onkeydown: (event) => event.key === "Enter" && this.answer() });
    option.addEventListener("click", (event) => {
      if (event.target === input || event.target.closest("a")) return;
      input.checked = true;
      this.mark();
    });
    option.replaceChildren(input, text);
    return { option, input, why, right: option.dataset.correct === "true" };
  }

  /** Show which option is chosen, and take back an old verdict. */
  mark() {
    for (const { option, input } of this.options) {
      option.classList.toggle("chosen", input.checked);
      option.classList.remove("is-right", "is-wrong");
    }
    this.feedback.replaceChildren();
  }

  answer() {
    const choice = this.options.findIndex(({ input }) => input.checked);
    if (choice < 0) {
      this.feedback.replaceChildren(make("p", {}, "Choose an answer first."));
      return;
    }
    const progress = loadProgress();
    const before = progress.quiz[this.key] || { tries: 0 };
    const right = this.options[choice].right;
    progress.quiz[this.key] = { choice, right, tries: before.tries + 1 };
    saveProgress(progress);
  }

  /** Show what is kept: nothing, or the last answer with its reason. */
  recall() {
    const kept = loadProgress().quiz[this.key];
    this.classList.toggle("is-answered", Boolean(kept && kept.right));
    if (!kept || !this.options[kept.choice]) {
      this.options.forEach(({ input }) => { input.checked = false; });
      this.mark();
      return;
    }
    const { option, input, why, right } = this.options[kept.choice];
    input.checked = true;
    this.mark();
    option.classList.add(right ? "is-right" : "is-wrong");
    this.feedback.append(
      make("p", { class: right ? "verdict right" : "verdict wrong" }, right ? "✓ Right." : "✗ Not this one."),
      ...[...why.childNodes].map((node) => node.cloneNode(true)),
    );
  }
}

define("quiz-item", QuizItem);
