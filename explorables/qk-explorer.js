/** <qk-explorer>: drag a query and three keys, watch the weights follow. */
import { PANEL, define, make } from "./base.js";
import { attend } from "./math.js";

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

export class QkExplorer extends HTMLElement {
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
