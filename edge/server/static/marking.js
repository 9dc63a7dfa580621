/** Right, wrong, other, missing: what people do to the boxes of a result, by mouse, finger and keyboard. */

import { $, announce, clearProblem } from "./dom.js";
import { Drawing } from "./draw.js";
import { KIND_NAMES } from "./format.js";

export class Marking {
  /** `result` has review, counting, threshold, chosen, view, step(way) and recount(); `on` listens until it is closed. */
  constructor(result, on) {
    this.result = result;
    this.review = result.review;
    this.drawing = new Drawing({
      step: (text) => { $("drawing-step").textContent = text; },
      sketch: (points, corners) => result.view?.boxes.sketch(points, corners),
      done: (corners) => this.addMissing(corners),
    });
    on($("right"), "click", () => this.judge(result.chosen, "right"));
    on($("wrong"), "click", () => this.judge(result.chosen, "wrong"));
    on($("kind"), "change", () => this.judge(result.chosen, "right", $("kind").value));
    on($("next"), "click", () => result.step(1));
    on($("previous"), "click", () => result.step(-1));
    on($("undo"), "click", () => this.undo());
    on($("rest-right"), "click", () => this.restRight());
    on($("searched"), "change", () => this.change({ searched: $("searched").checked }));
    on($("add-missing"), "click", () => this.draw());
    on($("stop-drawing"), "click", () => this.stopDrawing());
    on($("set-point"), "click", () => this.drawing.point(...result.view.centre));
    on($("viewer"), "keydown", (event) => this.key(event));
    on(window, "keydown", (event) => { if (event.key === "Escape" && this.drawing.active) this.stopDrawing(); });
  }

  change(change) {
    clearProblem();
    this.review.change(change, this.result.threshold);
  }

  undo() {
    this.review.undo();
    this.result.recount();
    announce("Undone");
  }

  /** Right or wrong; the same again takes it back. */
  judge(row, verdict, kind = null) {
    if (!row) return;
    const known = this.review.marks.get(row.id);
    const other = kind && kind !== row.kind ? kind : null;
    const mark = known?.verdict === verdict && kind === null ? null : { verdict, kind: verdict === "right" ? other : null };
    this.change({ marks: [[row.id, mark]] });
    announce(mark ? `${row.label}: ${other ? KIND_NAMES[other] : verdict}` : `${row.label}: not checked`);
  }

  restRight() {
    const { counting, threshold } = this.result;
    const rest = counting.shown(Math.min(threshold, counting.asked)).filter((row) => !this.review.marks.has(row.id));
    this.change({ marks: rest.map((row) => [row.id, { verdict: "right", kind: null }]) });
    announce(`${rest.length} marked right`);
  }

  draw() {
    const { view } = this.result;
    if (!view) return;
    $("vessel-bar").hidden = true;
    $("drawing").hidden = false;
    view.draws(true);
    this.drawing.start();
    view.focus();
    $("drawing").scrollIntoView({ block: "nearest" });
  }

  stopDrawing() {
    this.hideDrawing();
    $("add-missing").focus({ preventScroll: true });
  }

  hideDrawing() {
    this.drawing.stop();
    this.result.view?.draws(false);
    $("vessel-bar").hidden = false;
    $("drawing").hidden = true;
  }

  addMissing(corners) {
    const kind = $("missing-kind").value;
    this.stopDrawing();
    this.change({ add: [{ corners, kind }] });
    announce(`A vessel was added: ${KIND_NAMES[kind]}`);
  }

  /** In the picture: Enter sets a point while one draws; R and W judge what is chosen. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const verdict = { r: "right", w: "wrong" }[event.key.toLowerCase()];
    if (this.drawing.active && event.key === "Enter") this.drawing.point(...this.result.view.centre);
    else if (verdict && this.result.chosen) this.judge(this.result.chosen, verdict);
    else return;
    event.preventDefault();
  }
}
