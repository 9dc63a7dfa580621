/** A counted scene: picture, list, threshold and review, held together. */

import { get, send } from "./api.js";
import { Counting, sorted } from "./counting.js";
import { Crops } from "./crops.js";
import { $, announce, clearProblem, showProblem } from "./dom.js";
import { showMissing, showReview, showVessel } from "./dock.js";
import { downloadButtons } from "./downloads.js";
import { Drawing } from "./draw.js";
import { KINDS, KIND_NAMES, between, counted } from "./format.js";
import { List } from "./list.js";
import { Review } from "./review.js";
import { kindButtons, showAlerts, showCounts, showTrust } from "./summary.js";
import { View } from "./viewer.js";

const inside = ([x, y], corners, slack) => corners.every(([ax, ay], i) => {
  const [bx, by] = corners[(i + 1) % corners.length];
  const length = Math.hypot(bx - ax, by - ay) || 1;
  return ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / length >= -slack;
});

export class Result {
  static async open(job, vessel, signal) {
    const path = `/v1/jobs/${job.id}`;
    const [found, candidates, review] = await Promise.all([
      get(`${path}/result`, { signal }), get(`${path}/candidates`, { signal }), Review.open(job.id),
    ]);
    signal.throwIfAborted();
    const result = new Result(job, new Counting(found, candidates), review);
    $("result").hidden = false;
    result.fill();
    result.showPicture(vessel);
    return result;
  }

  constructor(job, counting, review) {
    Object.assign(this, { job, counting, review, chosen: null, view: null });
    this.kinds = new Set(KINDS);
    this.threshold = counting.asked;
    this.order = "score";
    this.crops = new Crops(job.id);
    this.stop = new AbortController();
    this.list = new List($("list"), this.crops, {
      choose: (row) => this.choose(row, { reveal: false }),
      verdict: (row, verdict) => this.judge(row, verdict),
      kind: (row, kind) => this.judge(row, "right", kind),
    });
    this.drawing = new Drawing({
      step: (text) => { $("drawing-step").textContent = text; },
      sketch: (points, corners) => this.view?.boxes.sketch(points, corners),
      done: (corners) => this.addMissing(corners),
    });
    review.addEventListener("change", () => this.refresh());
  }

  /** All that does not change, and the listeners. */
  fill() {
    const { document: found } = this.counting;
    $("scene-name").textContent = found.scene;
    document.title = `${found.scene} · tanker-edge`;
    $("synthetic").hidden = !found.synthetic;
    kindButtons(this.kinds, () => this.recount());
    showTrust(found);
    showAlerts(found);
    downloadButtons(this.job, Boolean(found.crs));
    $("sort").value = this.order;
    $("threshold").min = this.counting.floor;
    const { asked, floor } = this.counting;
    $("threshold-mark").style.left = `${(100 * (asked - floor)) / (1 - floor)}%`;
    this.on("threshold", "input", () => this.setThreshold(Number($("threshold").value)));
    this.on("threshold-back", "click", () => { this.setThreshold(asked); $("threshold").focus(); });
    this.on("sort", "change", () => { this.order = $("sort").value; this.recount(); });
    this.on("right", "click", () => this.judge(this.chosen, "right"));
    this.on("wrong", "click", () => this.judge(this.chosen, "wrong"));
    this.on("kind", "change", () => this.judge(this.chosen, "right", $("kind").value));
    this.on("next", "click", () => this.step(1));
    this.on("previous", "click", () => this.step(-1));
    this.on("undo", "click", () => { this.review.undo(); this.recount(); announce("Undone"); });
    this.on("rest-right", "click", () => this.restRight());
    this.on("searched", "change", () => this.change({ searched: $("searched").checked }));
    this.on("add-missing", "click", () => this.draw());
    this.on("stop-drawing", "click", () => this.stopDrawing());
    this.on("set-point", "click", () => this.drawing.point(...this.view.centre));
    this.on("remove", "click", () => { $("remove-sure").hidden = false; $("remove-no").focus(); });
    this.on("remove-no", "click", () => { $("remove-sure").hidden = true; $("remove").focus(); });
    this.on("remove-yes", "click", () => this.remove());
    for (const tab of document.querySelectorAll(".tabs button")) {
      tab.addEventListener("click", () => this.open(tab), { signal: this.stop.signal });
    }
    this.on("zoom-in", "click", () => this.view?.zoom(1.6));
    this.on("zoom-out", "click", () => this.view?.zoom(1 / 1.6));
    this.on("zoom-all", "click", () => this.view?.all());
    this.on("viewer", "keydown", (event) => this.pictureKey(event));
    const { signal } = this.stop;
    addEventListener("keydown", (event) => { if (event.key === "Escape" && this.drawing.active) this.stopDrawing(); }, { signal });
    addEventListener("beforeunload", (event) => { if (this.review.unsaved.length) { this.review.save(); event.preventDefault(); } }, { signal });
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.review.save(); }, { signal });
    this.setThreshold(asked);
    const { counts, interval } = this.counting.at(asked);
    announce(`${found.scene}: ${counted(counts.tanker, "tanker")}, ${between(interval.tanker)}; ${counted(counts.vessel, "vessel")} in all`);
  }

  on(id, event, listener) {
    $(id).addEventListener(event, listener, { signal: this.stop.signal });
  }

  /** Open what a button is for, and close what was open; null closes all. */
  open(tab) {
    for (const each of document.querySelectorAll(".tabs button")) {
      const opens = each === tab && each.getAttribute("aria-expanded") === "false";
      each.setAttribute("aria-expanded", opens);
      $(each.getAttribute("aria-controls")).hidden = !opens;
    }
    this.list.update();
  }

  async showPicture(vessel) {
    try {
      const picture = await get(`/v1/jobs/${this.job.id}/picture`, { signal: this.stop.signal });
      this.view = await View.open($("viewer"), picture, {
        select: (x, y, slack) => this.select(x, y, slack),
        click: (x, y) => this.drawing.point(x, y),
        press: (x, y) => this.drawing.press(x, y),
        drag: (x, y) => this.drawing.drag(x, y),
        drop: (x, y) => this.drawing.drop(x, y),
        move: (x, y) => this.drawing.hover(x, y),
      });
      if (this.stop.signal.aborted) { this.view.close(); return; }
      this.view.osd.addOnceHandler("open", () => {
        this.recount();
        const row = this.counting.byId.get(vessel);
        if (row) this.choose(row, { smooth: false });
      });
    } catch (error) {
      showProblem(error);
    }
  }

  setThreshold(threshold) {
    const { asked } = this.counting;
    this.threshold = threshold;
    const { counts } = this.counting.at(threshold);
    const same = Math.abs(threshold - asked) < 1e-6;
    const whose = this.job.options.conf === null ? "the model's" : "as asked for";
    const digits = (value) => String(Number(value.toFixed(4)));
    $("threshold").value = threshold;
    $("threshold").setAttribute("aria-valuetext", `${digits(threshold)}: ${counted(counts.tanker, "tanker")}, ${counted(counts.vessel, "vessel")}`);
    $("threshold-value").textContent = digits(threshold);
    const near = this.counting.shown(threshold).filter((row) => row.score < threshold + this.counting.near).length;
    const basis = same ? `${whose[0].toUpperCase()}${whose.slice(1)}: from this score on, a box counts.` : "Counted anew at this threshold.";
    $("threshold-hint").textContent = near ? `${basis} ${near} near it, dashed.` : basis;
    $("threshold-back").textContent = `Back to ${digits(asked)}, ${whose}`;
    $("threshold-back").classList.toggle("gone", same);
    this.recount();
  }

  /** Everything that hangs on the threshold, the kinds and the order. */
  recount() {
    showCounts(this.counting.at(this.threshold));
    this.counted = this.counting.shown(this.threshold);
    for (const row of this.counted) row.near = row.score < this.threshold + this.counting.near;
    const rows = sorted(this.counted.filter((row) => this.kinds.has(row.kind)), this.order);
    this.rows = rows;
    $("list-title").textContent = counted(rows.length, "vessel");
    $("no-vessels").hidden = rows.length > 0;
    if (this.chosen && !rows.includes(this.chosen)) this.chosen = null;
    this.list.chosen = this.chosen;
    this.list.show(rows, (row) => this.review.marks.get(row.id) ?? null);
    this.refresh();
  }

  /** Everything that hangs on the verdicts. */
  refresh() {
    const { marks, missing } = this.review;
    const expected = this.counting.shown(Math.min(this.counting.asked, this.review.threshold ?? 1));
    showReview(this.review, expected.filter((row) => marks.has(row.id)).length, expected.length);
    showMissing(this.review, (each) => this.view?.jump(each.corners), (each) => this.change({ remove: [each] }));
    showVessel(this.chosen, this.chosen && marks.get(this.chosen.id));
    this.list.refresh();
    const drawn = this.rows.map((row) => {
      const mark = marks.get(row.id);
      return { ...row, kind: mark?.kind ?? row.kind, mark: mark?.verdict ?? null };
    });
    const added = missing.map((each) => ({
      ...each, near: false, mark: "right", label: "+", side: Infinity, top: each.corners.reduce((a, b) => (b[1] < a[1] ? b : a)),
    }));
    this.view?.boxes.show([...drawn, ...added]);
    const now = drawn.find((row) => row.id === this.chosen?.id);
    this.view?.boxes.mark(now ?? null);
  }

  choose(row, { reveal = true, smooth = true } = {}) {
    this.chosen = row;
    this.list.choose(row, reveal);
    this.refresh();
    if (row) this.view?.jump(row.corners, { smooth });
    const hash = row ? `#job=${this.job.id}&vessel=${row.id}` : `#job=${this.job.id}`;
    history.replaceState(null, "", hash);
  }

  /** The vessel at a place of the picture; the smallest where several lie over each other. */
  select(x, y, slack) {
    const hits = this.rows.filter((row) => inside([x, y], row.corners, slack)).sort((a, b) => a.side - b.side);
    if (!hits.length) return;
    this.chosen = hits[0];
    this.list.choose(hits[0], matchMedia("(min-width: 60em)").matches);
    this.refresh();
    history.replaceState(null, "", `#job=${this.job.id}&vessel=${hits[0].id}`);
  }

  step(way) {
    const index = this.rows.indexOf(this.chosen);
    const row = this.rows[Math.min(Math.max(index + way, 0), this.rows.length - 1)];
    if (row) this.choose(row);
  }

  /** Right or wrong; the same again takes it back. */
  judge(row, verdict, kind = null) {
    if (!row) return;
    const known = this.review.marks.get(row.id);
    const other = kind && kind !== row.kind ? kind : null;
    const same = known?.verdict === verdict && (kind === null || (known.kind ?? null) === other);
    const mark = same && kind === null ? null : { verdict, kind: verdict === "right" ? other : null };
    this.change({ marks: [[row.id, mark]] });
    announce(mark ? `${row.label}: ${other ? KIND_NAMES[other] : verdict}` : `${row.label}: not checked`);
  }

  restRight() {
    const rest = this.counting.shown(Math.min(this.threshold, this.counting.asked)).filter((row) => !this.review.marks.has(row.id));
    this.change({ marks: rest.map((row) => [row.id, { verdict: "right", kind: null }]) });
    announce(`${rest.length} marked right`);
  }

  change(change) {
    clearProblem();
    this.review.change(change, this.threshold);
  }

  draw() {
    if (!this.view) return;
    $("vessel-bar").hidden = true;
    $("drawing").hidden = false;
    this.view.draws(true);
    this.drawing.start();
    this.view.focus();
    $("drawing").scrollIntoView({ block: "nearest" });
  }

  stopDrawing() {
    this.drawing.stop();
    this.view?.draws(false);
    $("vessel-bar").hidden = false;
    $("drawing").hidden = true;
    $("add-missing").focus();
  }

  addMissing(corners) {
    const kind = $("missing-kind").value;
    this.stopDrawing();
    this.change({ add: [{ corners, kind }] });
    announce(`A ${KIND_NAMES[kind]} was added`);
  }

  /** In the picture: Enter sets a point while one draws; R and W judge what is chosen. */
  pictureKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.drawing.active && event.key === "Enter") {
      this.drawing.point(...this.view.centre);
      event.preventDefault();
      return;
    }
    const verdict = { r: "right", w: "wrong" }[event.key.toLowerCase()];
    if (verdict && this.chosen) {
      this.judge(this.chosen, verdict);
      event.preventDefault();
    }
  }

  async remove() {
    try {
      await send(`/v1/jobs/${this.job.id}`, { method: "DELETE", accept: [404] });
      this.review.unsaved.length = 0;
      location.hash = "";
    } catch (error) {
      showProblem(error);
    }
  }

  close() {
    this.stop.abort();
    this.review.save();
    this.drawing.stop();
    this.open(null);
    $("vessel-bar").hidden = false;
    $("drawing").hidden = true;
    $("remove-sure").hidden = true;
    this.list.close();
    this.crops.close();
    this.view?.close();
    this.view = null;
    $("result").hidden = true;
    document.title = "tanker-edge";
  }
}
