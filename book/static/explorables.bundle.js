/* Made by tools/bundle.py from explorables/. MIT. */
(()=>{"use strict";
function make(tag, attributes = {}, ...children) {
const node = document.createElement(tag);
for (const [name, value] of Object.entries(attributes)) {
if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
else if (value === true) node.setAttribute(name, "");
else if (value !== false && value != null) node.setAttribute(name, value);
}
node.append(...children);
return node;
}
function define(name, element) {
if (!customElements.get(name)) customElements.define(name, element);
}
const PANEL = `
:host{display:block;margin:1rem 0;
--bg:var(--pst-color-background,var(--jp-layout-color0,#fff));
--fg:var(--pst-color-text-base,var(--jp-ui-font-color0,#22262b));
--soft:var(--pst-color-text-muted,var(--jp-ui-font-color1,#525a64));
--line:var(--pst-color-border,var(--jp-border-color1,#c9ccd1));
--ink:var(--pst-color-primary,#1d4f7c);--on:var(--bg);--warm:var(--pst-color-secondary,#9a4a00);
font:15px/1.45 system-ui,sans-serif;color:var(--fg)}
:host([hidden]){display:none}
*{box-sizing:border-box}
.panel{background:var(--bg);border:1px solid var(--line);border-radius:10px;padding:.8rem 1rem 1rem;max-width:100%}
.bar{display:flex;flex-wrap:wrap;gap:.4rem .9rem;align-items:center;margin-bottom:.7rem}
.bar b{margin-right:auto;font-weight:600}
button,select{font:inherit;color:inherit;background:transparent;border:1px solid var(--line);border-radius:6px;padding:.15rem .5rem;min-height:1.9rem}
select option{color:#22262b;background:#fff}
button{cursor:pointer}
button[aria-pressed=true]{background:var(--ink);border-color:var(--ink);color:var(--on)}
:focus-visible{outline:3px solid var(--warm);outline-offset:1px}
.say{margin:.8rem 0 0;min-height:1.5em}
.note{margin:.3rem 0 0;color:var(--soft);font-size:.87em}
.hide{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
table{border-collapse:collapse}
`;
const ALPHABET =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
function decodeWeights(text) {
const values = [];
for (let place = 0; place < text.length; place += 2) {
const high = ALPHABET.indexOf(text[place]);
values.push((64 * high + ALPHABET.indexOf(text[place + 1])) / 4095);
}
return values;
}
function largest(row, count) {
const order = row.map((_, index) => index);
return order.sort((a, b) => row[b] - row[a] || a - b).slice(0, count);
}
function rowText(query, keys, row) {
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
class AttentionMap extends HTMLElement {
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
function softmax(values) {
const top = Math.max(...values);
const powers = values.map((value) => Math.exp(value - top));
const total = powers.reduce((sum, power) => sum + power, 0);
return powers.map((power) => power / total);
}
function dot(left, right) {
return left.reduce((sum, value, index) => sum + value * right[index], 0);
}
function attend(query, keys, copies = 1) {
const size = query.length * copies;
const scores = keys.map((key) => copies * dot(query, key));
const scaled = scores.map((score) => score / Math.sqrt(size));
return { size, scores, scaled, weights: softmax(scaled), raw: softmax(scores) };
}
function positions(length, d, n) {
return Array.from({ length }, (_, k) =>
Array.from({ length: d }, (_, i) => {
const angle = k / n ** ((i - (i % 2)) / d);
return i % 2 ? Math.cos(angle) : Math.sin(angle);
}));
}
function masks(source, target) {
return {
encoder: source.map(() => [...source]),
decoder: target.map((_, row) => target.map((real, column) => real && column <= row)),
cross: target.map((asks) => source.map((real) => asks && real)),
};
}
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
class MaskBuilder extends HTMLElement {
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
const ROWS = 50;
const LOW = [84, 39, 136];
const MIDDLE = [247, 247, 247];
const HIGH = [179, 88, 6];
const POS_CSS = `
.sliders{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.5rem 1.2rem;margin-bottom:.7rem}
label{display:block}
input{width:100%;accent-color:var(--ink);min-height:1.9rem;margin:0}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(14rem,1fr));gap:.8rem 1.2rem}
figure{margin:0}
figcaption{color:var(--soft);font-size:.87em}
canvas,svg{display:block;width:100%;height:13rem;border:1px solid var(--line);background:#f7f7f7;image-rendering:pixelated}
svg{background:var(--bg)}
.zero{stroke:var(--soft);stroke-width:1}
.here{stroke:var(--warm);stroke-width:2}
.wave{fill:none;stroke:var(--ink);stroke-width:2}
line,polyline{vector-effect:non-scaling-stroke}
`;
const shade = (value) =>
MIDDLE.map((middle, part) => Math.round(middle + Math.abs(value) * ((value < 0 ? LOW : HIGH)[part] - middle)));
class PosEncoding extends HTMLElement {
connectedCallback() {
if (this.shadowRoot) return;
const start = (name, other) => Number(this.getAttribute(name) || other);
this.attachShadow({ mode: "open" });
this.width = this.slider("Width d", 2, 128, 2, start("d", 4));
this.power = this.slider("n", 1, 5, 0.25, Math.log10(start("n", 100)));
this.place = this.slider("Compare with position", 0, ROWS - 1, 1, start("position", 0));
this.canvas = make("canvas", { role: "img" });
this.chart = document.createElementNS("http://www.w3.org/2000/svg", "svg");
this.chart.setAttribute("preserveAspectRatio", "none");
this.chart.setAttribute("role", "img");
this.say = make("p", { class: "say", "aria-live": "polite" });
this.shadowRoot.append(make("style", {}, PANEL + POS_CSS),
make("div", { class: "panel", role: "group", "aria-label": "Sinusoidal positions" },
make("div", { class: "bar" }, make("b", {}, `The first ${ROWS} positions`)),
make("div", { class: "sliders" }, this.width.label, this.power.label, this.place.label),
make("div", { class: "two" },
make("figure", {}, this.canvas, make("figcaption", {}, "A row per position, from 0 at the top; purple −1, orange 1.")),
make("figure", {}, this.chart, make("figcaption", {}, "Dot product with each position, from 0 at the left."))),
this.say));
this.draw();
}
slider(name, min, max, step, value) {
const text = make("span");
const input = make("input", { type: "range", min, max, step, value, "aria-label": name, oninput: () => this.draw() });
return { text, input, label: make("label", {}, `${name}: `, text, input) };
}
read({ text, input }, shown) {
text.textContent = shown;
input.setAttribute("aria-valuetext", shown);
}
draw() {
const [d, power, at] = [this.width, this.power, this.place].map(({ input }) => Number(input.value));
const n = Math.round(10 ** power);
this.read(this.width, String(d));
this.read(this.power, n.toLocaleString("en"));
this.read(this.place, String(at));
const table = positions(ROWS, d, n);
this.paint(table, d);
const products = table.map((row) => dot(row, table[at]));
this.plot(products, at, d / 2);
const others = products.map((value, k) => (k === at ? -Infinity : value));
const best = others.indexOf(Math.max(...others));
const next = at + 1 < ROWS ? at + 1 : at - 1;
const near = best === next ? "" : ` Its neighbor ${next} has ${products[next].toFixed(3)}.`;
this.say.textContent = `d = ${d}, n = ${n.toLocaleString("en")}: most similar to position ${at} is position ${best}, dot product ${others[best].toFixed(3)} of ${(d / 2).toFixed(0)}.${near}`;
}
paint(table, d) {
[this.canvas.width, this.canvas.height] = [d, ROWS];
const pen = this.canvas.getContext("2d");
const image = pen.createImageData(d, ROWS);
table.flat().forEach((value, index) => image.data.set([...shade(value), 255], 4 * index));
pen.putImageData(image, 0, 0);
this.canvas.setAttribute("aria-label", `Stripes: ${ROWS} positions of ${d} numbers; the waves grow longer to the right.`);
}
plot(products, at, top) {
this.chart.setAttribute("viewBox", `-1 ${-1.05 * top} ${ROWS + 1} ${2.1 * top}`);
const points = products.map((value, k) => `${k},${(-value).toFixed(4)}`).join(" ");
this.chart.innerHTML = `<line class="zero" x1="-1" x2="${ROWS}" y1="0" y2="0"/><line class="here" x1="${at}" x2="${at}" y1="${-top}" y2="${top}"/><polyline class="wave" points="${points}"/>`;
this.chart.setAttribute("aria-label", `Dot products with position ${at}: ${top.toFixed(0)} at ${at}, least ${Math.min(...products).toFixed(2)}.`);
}
}
define("pos-encoding", PosEncoding);
const STORE_KEY = "bertbook";
function loadProgress() {
try {
const kept = JSON.parse(localStorage.getItem(STORE_KEY) || "{}");
return { quiz: kept.quiz || {}, read: kept.read || {} };
} catch {
return { quiz: {}, read: {} };
}
}
function saveProgress(progress) {
try {
localStorage.setItem(STORE_KEY, JSON.stringify(progress));
} catch {
}
document.dispatchEvent(new CustomEvent("bertbook-progress"));
}
class ReadingProgress extends HTMLElement {
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
function tickSidebar() {
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
const REACH = 3;
const NAMES = ["query q", "key k₁", "key k₂", "key k₃"];
const SHORT = ["q", "k₁", "k₂", "k₃"];
const QK_CSS = `
.two{display:grid;grid-template-columns:minmax(0,17rem) minmax(0,1fr);gap:.6rem 1.2rem;align-items:center}
.plane{position:relative;aspect-ratio:1;border:1px solid var(--line);border-radius:8px;touch-action:none;max-width:17rem;width:100%}
svg{position:absolute;inset:0;width:100%;height:100%}
.grid{stroke:var(--line);stroke-width:.02}
.axis{stroke:var(--soft);stroke-width:.03}
.arm{stroke-width:.07;stroke:var(--ink)}
.arm.q{stroke:var(--warm)}
.dot{position:absolute;transform:translate(-50%,-50%);width:2rem;height:2rem;min-height:0;border-radius:50%;padding:0;font-size:.85em;
background:var(--ink);color:var(--on);border:2px solid var(--bg);cursor:grab;touch-action:none}
.dot.q{background:var(--warm)}
.wide{overflow-x:auto}
table{width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid var(--line);font-weight:400}
thead th{color:var(--soft);font-size:.87em}
th:first-child{text-align:left}
.bars{display:inline-block;width:4.5rem;height:.7rem;background:transparent;border:1px solid var(--line);vertical-align:middle;margin-right:.4rem}
.bars i{display:block;height:100%;background:var(--ink)}
@media (max-width:640px){.two{grid-template-columns:minmax(0,1fr)}th,td{padding:.25rem .2rem}.bars{display:none}}
`;
class QkExplorer extends HTMLElement {
connectedCallback() {
if (this.shadowRoot) return;
const list = (name, other) => JSON.parse(this.getAttribute(name) || other);
this.points = [list("query", "[1.2, 1.1]"), ...list("keys", "[[2.3, -0.6], [0.3, 2], [-1.5, -0.7]]")];
this.copies = 1;
this.attachShadow({ mode: "open" });
this.say = make("p", { class: "say", "aria-live": "polite" });
this.table = make("tbody");
const sizes = [2, 8, 32, 128].map((size) => make("option", { value: size / 2 }, String(size)));
const size = make("select", { onchange: (event) => { this.copies = Number(event.target.value); this.draw(); } }, ...sizes);
const head = ["", "q·k", "÷ √dₖ", "weight", "without ÷"].map((text) =>
text ? make("th", { scope: "col" }, text) : make("td"));
this.shadowRoot.append(make("style", {}, PANEL + QK_CSS),
make("div", { class: "panel", role: "group", "aria-label": "Query and keys" },
make("div", { class: "bar" }, make("b", {}, "Drag q and the keys"), make("label", {}, "dₖ ", size),
make("button", { type: "button", onclick: () => this.reset() }, "Start again")),
make("div", { class: "two" }, this.plane(),
make("div", { class: "wide" }, make("table", { "aria-label": "Scores and weights" }, make("thead", {}, make("tr", {}, ...head)), this.table))),
this.say,
make("p", { class: "note" }, "Each vector repeats its two drawn numbers until it has dₖ of them. Arrow keys move a vector by 0.1.")));
this.first = JSON.stringify(this.points);
this.draw();
}
reset() {
this.points = JSON.parse(this.first);
this.draw();
}
plane() {
this.drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
this.drawing.setAttribute("viewBox", `${-REACH} ${-REACH} ${2 * REACH} ${2 * REACH}`);
this.drawing.setAttribute("aria-hidden", "true");
this.dots = this.points.map((_, index) =>
make("button", { type: "button", class: index ? "dot" : "dot q", onkeydown: (event) => this.press(event, index),
onpointerdown: (event) => event.target.setPointerCapture(event.pointerId),
onpointermove: (event) => this.drag(event, index) }, SHORT[index]));
this.area = make("div", { class: "plane" }, this.drawing, ...this.dots);
return this.area;
}
move(index, point) {
this.points[index] = point.map((value) => Math.max(-REACH, Math.min(REACH, Math.round(value * 10) / 10)));
this.draw();
}
drag(event, index) {
if (!event.target.hasPointerCapture(event.pointerId)) return;
const { left, top, width, height } = this.area.getBoundingClientRect();
this.move(index, [((event.clientX - left) / width) * 2 * REACH - REACH, REACH - ((event.clientY - top) / height) * 2 * REACH]);
}
press(event, index) {
const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
if (!step) return;
event.preventDefault();
this.move(index, this.points[index].map((value, axis) => value + step[axis]));
}
draw() {
const line = (kind, x1, y1, x2, y2) => `<line class="${kind}" x1="${x1}" y1="${-y1}" x2="${x2}" y2="${-y2}"/>`;
let marks = "";
for (let at = 1 - REACH; at < REACH; at += 1) {
marks += line(at ? "grid" : "axis", at, -REACH, at, REACH) + line(at ? "grid" : "axis", -REACH, at, REACH, at);
}
this.points.forEach(([x, y], index) => {
marks += line(index ? "arm" : "arm q", 0, 0, x, y);
this.dots[index].style.left = `${((x + REACH) / (2 * REACH)) * 100}%`;
this.dots[index].style.top = `${((REACH - y) / (2 * REACH)) * 100}%`;
this.dots[index].setAttribute("aria-label", `${NAMES[index]} at ${x.toFixed(1)}, ${y.toFixed(1)}`);
});
this.drawing.innerHTML = marks;
const [query, ...keys] = this.points;
const found = attend(query, keys, this.copies);
this.table.replaceChildren(...keys.map((_, index) => this.tableRow(found, index)));
const best = found.weights.indexOf(Math.max(...found.weights));
this.say.textContent = `dₖ = ${found.size}: ${SHORT[best + 1]} gets weight ${found.weights[best].toFixed(3)}; without the division it would get ${found.raw[best].toFixed(3)}.`;
}
tableRow({ scores, scaled, weights, raw }, index) {
const cell = (value, digits) => make("td", {}, value.toFixed(digits));
const bar = make("span", { class: "bars", "aria-hidden": "true" }, make("i", { style: `width:${100 * weights[index]}%` }));
return make("tr", {}, make("th", { scope: "row" }, SHORT[index + 1]), cell(scores[index], 2), cell(scaled[index], 2),
make("td", {}, bar, weights[index].toFixed(3)), cell(raw[index], 3));
}
}
define("qk-explorer", QkExplorer);
function spoken(text) {
return text.textContent.replace(/\\[()]/g, " ").replace(/\s+/g, " ").trim();
}
class QuizItem extends HTMLElement {
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

})();
