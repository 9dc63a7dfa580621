/** The list of vessels: only the rows in sight are in the document, so that thousands are as quick as ten. */

import { el } from "./dom.js";
import { KIND_NAMES, length, score } from "./format.js";
import { swatch } from "./boxes.js";

const ROW_PX = 84;
const BEYOND = 4; // rows kept above and below what is seen

export class List {
  /** `on` has choose(row), verdict(row, "right" | "wrong"), kind(row, kind); `crops` gives the small pictures. */
  constructor(host, crops, on) {
    Object.assign(this, { host, crops, on, rows: [], nodes: new Map(), active: 0, chosen: null, mark: () => null });
    this.update = () => this.render();
    this.keys = (event) => this.key(event);
    document.addEventListener("scroll", this.update, { capture: true, passive: true });
    addEventListener("resize", this.update);
    host.addEventListener("keydown", this.keys);
  }

  close() {
    document.removeEventListener("scroll", this.update, { capture: true });
    removeEventListener("resize", this.update);
    this.host.removeEventListener("keydown", this.keys);
    this.host.replaceChildren();
    this.nodes.clear();
  }

  /** Show these rows; `mark` tells what was said of one. */
  show(rows, mark) {
    Object.assign(this, { rows, mark });
    this.active = Math.max(0, rows.findIndex((row) => row === this.chosen));
    this.host.style.height = `${rows.length * ROW_PX}px`;
    this.host.setAttribute("aria-rowcount", rows.length);
    const held = this.host.contains(document.activeElement);
    this.host.replaceChildren();
    this.nodes.clear();
    this.render();
    if (held && rows.length) this.focus(this.active);
  }

  /** Which row is shown in the picture, null for none; and whether the list scrolls to it. */
  choose(row, reveal) {
    this.chosen = row;
    const index = this.rows.indexOf(row);
    if (index >= 0) {
      this.active = index;
      if (reveal) this.reveal(index);
    }
    this.render();
    for (const [i, node] of this.nodes) this.state(node, i);
  }

  /** Tell anew what was said of the rows. */
  refresh() {
    for (const [i, node] of this.nodes) this.state(node, i);
  }

  /** The rows in sight. */
  render() {
    if (!this.host.isConnected) return;
    const box = this.host.getBoundingClientRect();
    const clip = this.host.closest(".rest").getBoundingClientRect();
    const top = Math.max(0, clip.top) - box.top;
    const bottom = Math.min(innerHeight, clip.bottom) - box.top;
    const first = Math.max(0, Math.floor(top / ROW_PX) - BEYOND);
    const last = Math.min(this.rows.length, Math.ceil(bottom / ROW_PX) + BEYOND);
    const focused = [...this.nodes].find(([, node]) => node.contains(document.activeElement))?.[0];
    for (const [i, node] of this.nodes) {
      if ((i < first || i >= last) && i !== focused && i !== this.active) {
        node.remove();
        this.nodes.delete(i);
      }
    }
    for (let i = first; i < last; i += 1) this.put(i);
    if (this.rows.length) this.put(this.active);
  }

  put(i) {
    if (this.nodes.has(i)) return;
    const node = this.row(this.rows[i], i);
    this.nodes.set(i, node);
    const after = [...this.nodes.keys()].filter((j) => j > i).sort((a, b) => a - b)[0];
    this.host.insertBefore(node, after === undefined ? null : this.nodes.get(after));
    this.state(node, i);
    this.crops.show(node.querySelector(".thumb"), this.rows[i]);
  }

  row(row, i) {
    const size = length(row.length_m, row.length_error_m);
    const facts = [size, row.size_class].filter(Boolean).join(" · ");
    const sure = el("span", { class: "facts" }, `score ${score(row.score)}`);
    if (row.near) sure.append(" · ", el("span", { class: "near-note", text: "near the threshold" }));
    const choose = el("button", { type: "button", class: "vessel", on: { click: () => this.on.choose(row) } },
      el("span", { class: "thumb" }),
      el("span", { class: "words" },
        el("span", { class: "title" }, swatch(row.kind, { near: row.near }),
          el("span", { class: "number", text: row.label }), el("span", { class: "kind" })),
        facts ? el("span", { class: "facts", text: facts }) : "", sure));
    const verdict = (name, sign) => el("button", {
      type: "button", class: `verdict ${name}`, "aria-label": `${row.label} is ${name}`, text: sign,
      on: { click: () => this.on.verdict(row, name) },
    });
    return el("div", { role: "row", class: "row", "aria-rowindex": i + 1 },
      el("div", { role: "gridcell", class: "cell wide" }, choose),
      el("div", { role: "gridcell", class: "cell" }, verdict("right", "✓")),
      el("div", { role: "gridcell", class: "cell" }, verdict("wrong", "✗")));
  }

  /** What may change of a row. */
  state(node, i) {
    const row = this.rows[i];
    const mark = this.mark(row);
    node.style.top = `${i * ROW_PX}px`;
    node.setAttribute("aria-selected", row === this.chosen);
    node.classList.toggle("chosen", row === this.chosen);
    node.classList.toggle("is-wrong", mark?.verdict === "wrong");
    const other = mark?.verdict === "right" && mark.kind && mark.kind !== row.kind ? mark.kind : null;
    node.querySelector(".kind").textContent = other ? `${KIND_NAMES[row.kind]}, really ${KIND_NAMES[other]}` : KIND_NAMES[row.kind];
    for (const button of node.querySelectorAll("button")) button.tabIndex = i === this.active ? 0 : -1;
    for (const name of ["right", "wrong"]) {
      node.querySelector(`.verdict.${name}`).setAttribute("aria-pressed", mark?.verdict === name);
    }
  }

  key(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -Infinity, End: Infinity };
    const kinds = { t: "tanker", o: "other", u: "unknown" };
    const verdicts = { r: "right", w: "wrong" };
    if (event.ctrlKey || event.metaKey || event.altKey || !this.rows.length) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const row = this.rows[this.active];
    if (key in moves) {
      this.focus(Math.min(Math.max(this.active + moves[key], 0), this.rows.length - 1));
    } else if (key === "ArrowLeft" || key === "ArrowRight") {
      const buttons = [...this.nodes.get(this.active).querySelectorAll("button")];
      const at = buttons.indexOf(document.activeElement) + (key === "ArrowRight" ? 1 : -1);
      buttons[Math.min(Math.max(at, 0), buttons.length - 1)].focus();
    } else if (key in verdicts) {
      this.on.verdict(row, verdicts[key]);
    } else if (key in kinds) {
      this.on.kind(row, kinds[key]);
    } else {
      return;
    }
    event.preventDefault();
  }

  focus(index) {
    const at = [...(this.nodes.get(this.active)?.querySelectorAll("button") ?? [])].indexOf(document.activeElement);
    this.active = index;
    this.reveal(index);
    this.render();
    for (const [i, node] of this.nodes) this.state(node, i);
    this.nodes.get(index).querySelectorAll("button")[Math.max(at, 0)].focus({ preventScroll: true });
  }

  /** Scroll a row into sight. */
  reveal(index) {
    this.put(index);
    this.nodes.get(index).scrollIntoView({ block: "nearest" });
  }
}
