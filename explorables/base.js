/** What the explorables share: making elements, one look for their panels. */

/** Return a new element with attributes, listeners (on…) and children. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Define a custom element unless the page has it already. */
export function define(name, element) {
  if (!customElements.get(name)) customElements.define(name, element);
}

export const PANEL = `
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
