/** <pos-encoding>: the stripes of the sinusoid, and how similar positions are. */
import { PANEL, define, make } from "./base.js";
import { dot, positions } from "./math.js";

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

export class PosEncoding extends HTMLElement {
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

  /** Show a slider's value beside its name, also to screen readers. */
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
