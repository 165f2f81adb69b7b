/** <mask-builder>: who may ask whom, in the three attentions of a Transformer. */
import { PANEL, define, make } from "./base.js";
import { masks } from "./math.js";

const KINDS = {
  encoder: "Encoder: the source reads itself. A pad is closed to everyone.",
  decoder: "Decoder: the target reads itself. No word reads a later one, and no pad is read.",
  cross: "Cross: the target reads the source. There is no staircase: the whole source is known.",
};

const MASK_CSS = `
.wide{overflow-x:auto;padding:3px}
.words{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.5rem 1.2rem;margin-bottom:.7rem}
label{display:block}
input[type=text]{font:inherit;color:inherit;background:transparent;border:1px solid var(--line);border-radius:6px;width:100%;min-height:1.9rem;padding:.15rem .5rem}
input[type=checkbox]{accent-color:var(--ink);width:1.1rem;height:1.1rem;vertical-align:middle}
th{font-weight:400;padding:.1rem .5rem;white-space:nowrap}
tbody th{text-align:right}
td{padding:0;border:1px solid var(--line);min-width:2.4rem}
td button{width:100%;min-height:2.1rem;border:0;border-radius:0;padding:0;color:var(--soft)}
thead td{border:0}
td.yes button{background:var(--ink);color:var(--on)}
`;

const LIMIT = 8;

export class MaskBuilder extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    this.attachShadow({ mode: "open" });
    this.kind = "encoder";
    this.at = [0, 0];
    this.source = this.field("Source", this.getAttribute("source") || "You are welcome [PAD]");
    this.target = this.field("Target", this.getAttribute("target") || "<s> De nada");
    this.signs = make("input", { type: "checkbox", onchange: () => this.draw() });
    this.tabs = Object.keys(KINDS).map((kind) =>
      make("button", { type: "button", onclick: () => this.choose(kind) }, kind));
    this.body = make("div", { class: "wide" });
    this.say = make("p", { class: "say", "aria-live": "polite" });
    this.about = make("p", { class: "note" });
    this.shadowRoot.append(make("style", {}, PANEL + MASK_CSS),
      make("div", { class: "panel", role: "group", "aria-label": "Masks" },
        make("div", { class: "bar" }, make("b", {}, "Build a mask"), ...this.tabs),
        make("div", { class: "words" }, this.source.label, this.target.label),
        make("label", {}, this.signs, " True means “ignore”, as in PyTorch’s nn.Transformer"),
        this.body, this.say, this.about,
        make("p", { class: "note" }, `Rows ask, columns are asked. Press a cell, or move with the arrow keys. Write [PAD] for a pad; up to ${LIMIT} words each.`)));
    this.draw();
  }

  field(name, value) {
    const input = make("input", { type: "text", value, spellcheck: "false", oninput: () => this.draw() });
    return { input, label: make("label", {}, name, input) };
  }

  words({ input }) {
    const found = input.value.split(/\s+/).filter(Boolean).slice(0, LIMIT);
    return found.length ? found : ["[PAD]"];
  }

  choose(kind) {
    this.kind = kind;
    this.at = [0, 0];
    this.draw();
  }

  draw() {
    const [source, target] = [this.words(this.source), this.words(this.target)];
    this.rows = this.kind === "encoder" ? source : target;
    this.columns = this.kind === "decoder" ? target : source;
    const real = (words) => words.map((word) => word !== "[PAD]");
    this.mask = masks(real(source), real(target))[this.kind];
    this.at = [Math.min(this.at[0], this.rows.length - 1), Math.min(this.at[1], this.columns.length - 1)];
    this.tabs.forEach((tab) => tab.setAttribute("aria-pressed", tab.textContent === this.kind));
    this.about.textContent = KINDS[this.kind];
    const head = make("tr", {}, make("td"), ...this.columns.map((word) => make("th", { scope: "col" }, word)));
    this.cells = this.rows.map((_, row) => this.columns.map((_, column) => this.cell(row, column)));
    const lines = this.cells.map((cells, row) => make("tr", {}, make("th", { scope: "row" }, this.rows[row]),
      ...cells.map((button) => make("td", { class: button.dataset.may === "true" ? "yes" : "no" }, button))));
    this.body.replaceChildren(make("table", { "aria-label": `The ${this.kind} mask` }, make("thead", {}, head), make("tbody", {}, ...lines)));
    this.tell();
  }

  cell(row, column) {
    const may = this.mask[row][column];
    const shown = may !== this.signs.checked ? "1" : "0";
    const here = row === this.at[0] && column === this.at[1];
    const verb = may ? "may ask" : "may not ask";
    return make("button", { type: "button", tabindex: here ? "0" : "-1", "data-may": String(may),
      "aria-label": `${this.rows[row]} ${verb} ${this.columns[column]}: ${shown}`,
      onclick: () => this.move(row, column), onkeydown: (event) => this.press(event, row, column) }, shown);
  }

  press(event, row, column) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const inside = (value, size) => Math.max(0, Math.min(size - 1, value));
    this.move(inside(row + step[0], this.rows.length), inside(column + step[1], this.columns.length));
  }

  move(row, column) {
    const [before, after] = [this.cells[this.at[0]][this.at[1]], this.cells[row][column]];
    before.setAttribute("tabindex", "-1");
    after.setAttribute("tabindex", "0");
    this.at = [row, column];
    after.focus();
    this.tell();
  }

  tell() {
    const [row, column] = this.at;
    const [asks, asked] = [this.rows[row], this.columns[column]];
    const open = this.mask[row].filter(Boolean).length;
    this.say.textContent = `“${asks}” ${this.reason(row, column, asked)} It may ask ${open} of ${this.columns.length}. Written ${this.signs.checked ? "for nn.Transformer" : "as in this book"}: ${this.mask[row].map((may) => (may !== this.signs.checked ? 1 : 0)).join(" ")}.`;
  }

  reason(row, column, asked) {
    if (this.mask[row][column]) return `may ask “${asked}”.`;
    if (this.kind === "cross" && this.rows[row] === "[PAD]") return "is a pad: it asks nothing.";
    if (asked === "[PAD]") return "may not ask “[PAD]”: it stands for no word.";
    return `may not ask “${asked}”: that word comes later.`;
  }
}

define("mask-builder", MaskBuilder);
