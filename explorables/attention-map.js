/** <attention-map>: attention weights of every layer and head, by rows. */
import { PANEL, define, make } from "./base.js";

const ALPHABET =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Return numbers from 0 to 1, written as two characters (12 bits) each. */
export function decodeWeights(text) {
  const values = [];
  for (let place = 0; place < text.length; place += 2) {
    const high = ALPHABET.indexOf(text[place]);
    values.push((64 * high + ALPHABET.indexOf(text[place + 1])) / 4095);
  }
  return values;
}

/** Return the indices of a row's largest weights, largest first. */
export function largest(row, count) {
  const order = row.map((_, index) => index);
  return order.sort((a, b) => row[b] - row[a] || a - b).slice(0, count);
}

/** Return the sentence that says what a query attends to. */
export function rowText(query, keys, row) {
  const name = (index) => `“${keys[index]}” ${row[index].toFixed(2)}`;
  const [first, ...others] = largest(row, 3);
  if (!row[first]) return `“${query}” attends to nothing.`;
  const rest = others.filter((index) => row[index] >= 0.005).map(name);
  const then = rest.length ? `, then to ${rest.join(" and ")}` : "";
  return `“${query}” attends most to ${name(first)}${then}.`;
}

const MAP_CSS = `
.scroll{overflow-x:auto;padding:3px}
th{font-weight:400;padding:0}
thead th{height:6.2em;vertical-align:bottom;min-width:var(--cell)}
thead span{writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap;max-height:6em;overflow:hidden;line-height:var(--cell)}
td{position:relative;padding:0;border:1px solid var(--line);height:1.7rem;min-width:var(--cell);cursor:pointer}
td i{display:block;height:1.6rem;background:var(--ink)}
.q{width:100%;border-color:transparent;text-align:right;white-space:nowrap;padding:0 .5rem;min-height:1.7rem;line-height:1.5}
tr.on td{border-block:2px solid var(--warm)}
.k.top{font-weight:700;color:var(--warm)}
.lines{display:grid;grid-template-columns:max-content minmax(5rem,16rem) max-content;align-items:stretch}
.lines div{display:flex;flex-direction:column}
.lines .q,.lines .k{height:1.8rem;line-height:1.8rem;min-height:0;padding:0 .5rem;white-space:nowrap}
svg{width:100%;height:100%;display:block}
line{stroke:var(--ink);stroke-width:1.2;vector-effect:non-scaling-stroke}
line.on{stroke:var(--warm);stroke-width:4}
`;

export class AttentionMap extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const list = (name) => JSON.parse(this.getAttribute(name) || "null");
    const number = (name) => Number(this.getAttribute(name) || 0);
    this.queries = list("tokens");
    this.keys = list("keys") || this.queries;
    this.values = decodeWeights(this.getAttribute("weights"));
    this.size = { layer: number("layers"), head: number("heads") };
    this.at = { layer: number("layer"), head: number("head"), row: number("row"), view: "matrix" };
    this.attachShadow({ mode: "open" });
    this.body = make("div", { class: "scroll" });
    this.say = make("p", { class: "say", "aria-live": "polite" });
    this.shadowRoot.append(
      make("style", {}, PANEL + MAP_CSS),
      make("div", { class: "panel", role: "group", "aria-label": this.name }, this.controls(), this.body, this.say,
        make("p", { class: "note" }, "Rows are queries, columns are keys. Arrow keys move from row to row.")),
    );
    this.draw();
  }

  get name() {
    return this.getAttribute("label") || "Attention weights";
  }

  controls() {
    const pick = (kind, word) =>
      make("label", {}, `${word} `, make("select", {
        onchange: (event) => this.change({ [kind]: Number(event.target.value) }),
      }, ...Array.from({ length: this.size[kind] }, (_, index) =>
        make("option", { value: index, selected: index === this.at[kind] }, String(index)))));
    this.views = ["matrix", "lines"].map((view) =>
      make("button", { type: "button", onclick: () => this.change({ view }) }, view === "matrix" ? "Matrix" : "Lines"));
    return make("div", { class: "bar" }, make("b", {}, this.name),
      pick("layer", "Layer"), pick("head", "Head"), make("span", { role: "group", "aria-label": "View" }, ...this.views));
  }

  /** Return the weights of one query in the chosen layer and head. */
  row(index) {
    const wide = this.keys.length;
    const start = ((this.at.layer * this.size.head + this.at.head) * this.queries.length + index) * wide;
    return this.values.slice(start, start + wide);
  }

  change(what) {
    Object.assign(this.at, what);
    this.draw();
  }

  draw() {
    this.views.forEach((button, index) =>
      button.setAttribute("aria-pressed", (index === 1) === (this.at.view === "lines")));
    this.buttons = this.queries.map((token, index) =>
      make("button", { type: "button", class: "q", onclick: () => this.select(index), onfocus: () => this.select(index),
        onkeydown: (event) => this.press(event, index) }, token));
    this.body.replaceChildren(this.at.view === "lines" ? this.lines() : this.matrix());
    this.select(this.at.row);
  }

  matrix() {
    this.heads = this.keys.map((token) => make("span", { class: "k" }, token));
    const head = make("tr", {}, make("td", { style: "border:0" }), ...this.heads.map((span) => make("th", { scope: "col" }, span)));
    this.rows = this.queries.map((_, index) =>
      make("tr", { onpointerenter: (event) => event.pointerType === "mouse" && this.select(index), onclick: () => this.select(index) },
        make("th", { scope: "row" }, this.buttons[index]),
        ...this.row(index).map((weight, column) =>
          make("td", { title: `${this.queries[index]} → ${this.keys[column]}: ${weight.toFixed(2)}` },
            make("i", { style: `opacity:${weight.toFixed(3)}` }), make("span", { class: "hide" }, weight.toFixed(2))))));
    const cell = Math.max(1.05, Math.min(1.7, 30 / this.keys.length));
    return make("table", { "aria-label": this.name, style: `--cell:${cell.toFixed(2)}rem` }, make("thead", {}, head), make("tbody", {}, ...this.rows));
  }

  lines() {
    const space = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(space, "svg");
    const high = Math.max(this.queries.length, this.keys.length);
    drawing.setAttribute("viewBox", `0 0 10 ${high}`);
    drawing.setAttribute("preserveAspectRatio", "none");
    drawing.setAttribute("aria-hidden", "true");
    drawing.style.height = `${1.8 * high}rem`;
    this.rows = this.queries.map((_, index) => this.row(index).map((weight, column) => {
      const line = document.createElementNS(space, "line");
      const ends = { x1: 0, y1: index + 0.5, x2: 10, y2: column + 0.5, "stroke-opacity": weight.toFixed(3) };
      for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value);
      drawing.append(line);
      return line;
    }));
    this.heads = this.keys.map((token) => make("span", { class: "k" }, token));
    return make("div", { class: "lines" }, make("div", {}, ...this.buttons), drawing, make("div", {}, ...this.heads));
  }

  select(index) {
    this.at.row = index;
    const row = this.row(index);
    const [top] = largest(row, 1);
    this.heads.forEach((head, column) => head.classList.toggle("top", column === top));
    this.buttons.forEach((button, other) => {
      button.tabIndex = other === index ? 0 : -1;
      button.setAttribute("aria-pressed", other === index);
    });
    this.rows.forEach((part, other) => [part].flat().forEach((node) => node.classList.toggle("on", other === index)));
    const text = rowText(this.queries[index], this.keys, row);
    if (this.say.textContent !== text) this.say.textContent = text;
  }

  press(event, index) {
    const last = this.queries.length - 1;
    const to = { ArrowDown: Math.min(index + 1, last), ArrowUp: Math.max(index - 1, 0), Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.buttons[to].focus();
  }
}

define("attention-map", AttentionMap);
