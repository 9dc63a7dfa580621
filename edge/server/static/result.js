/** A counted scene: picture, list, threshold and review, held together. */

import { get, send } from "./api.js";
import { Counting, sorted } from "./counting.js";
import { Crops } from "./crops.js";
import { $, announce, showProblem } from "./dom.js";
import { showMissing, showReview, showVessel } from "./dock.js";
import { downloadButtons } from "./downloads.js";
import { KINDS, between, counted } from "./format.js";
import { List } from "./list.js";
import { Marking } from "./marking.js";
import { Review } from "./review.js";
import { kindButtons, showAlerts, showCounts, showThreshold, showTrust } from "./summary.js";
import { View } from "./viewer.js";

const DESK = "(min-width: 60em)";

/** Whether a point lies in a box, or at most `slack` px beside it. */
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
    Object.assign(this, { job, counting, review, chosen: null, view: null, order: "score" });
    this.kinds = new Set(KINDS);
    this.threshold = counting.asked;
    this.stop = new AbortController();
    this.marking = new Marking(this, (...listening) => this.on(...listening));
    this.crops = new Crops(job.id);
    this.list = new List($("list"), this.crops, {
      choose: (row) => this.choose(row, { reveal: false }),
      verdict: (row, verdict) => this.marking.judge(row, verdict),
      kind: (row, kind) => this.marking.judge(row, "right", kind),
    });
  }

  /** Listen as long as this result is shown. */
  on(target, event, listener) {
    target.addEventListener(event, listener, { signal: this.stop.signal });
  }

  /** All that does not change, and what people can do. */
  fill() {
    const { document: found, asked, floor } = this.counting;
    $("scene-name").textContent = found.scene;
    document.title = `${found.scene} · tanker-edge`;
    $("synthetic").hidden = !found.synthetic;
    kindButtons(this.kinds, () => this.recount());
    showTrust(found);
    showAlerts(found);
    downloadButtons(this.job, Boolean(found.crs));
    $("sort").value = this.order;
    $("threshold").min = floor;
    $("threshold-mark").style.left = `${(100 * (asked - floor)) / (1 - floor)}%`;
    this.listen();
    this.setThreshold(asked);
    const { counts, interval } = this.counting.at(asked);
    const tankers = `${counted(counts.tanker, "tanker")}, ${between(interval.tanker)}`;
    announce(`${found.scene}: ${tankers}; ${counted(counts.vessel, "vessel")} in all`);
  }

  listen() {
    this.on(this.review, "change", () => this.refresh());
    this.on($("threshold"), "input", () => this.setThreshold(Number($("threshold").value)));
    this.on($("threshold-back"), "click", () => { this.setThreshold(this.counting.asked); $("threshold").focus(); });
    this.on($("sort"), "change", () => { this.order = $("sort").value; this.recount(); });
    for (const tab of document.querySelectorAll(".tabs button")) this.on(tab, "click", () => this.open(tab));
    this.on($("zoom-in"), "click", () => this.view?.zoom(1.6));
    this.on($("zoom-out"), "click", () => this.view?.zoom(1 / 1.6));
    this.on($("zoom-all"), "click", () => this.view?.all());
    this.on($("remove"), "click", () => { $("remove-sure").hidden = false; $("remove-no").focus(); });
    this.on($("remove-no"), "click", () => { $("remove-sure").hidden = true; $("remove").focus(); });
    this.on($("remove-yes"), "click", () => this.remove());
    this.on(document, "visibilitychange", () => { if (document.hidden) this.review.save(); });
    this.on(window, "beforeunload", (event) => {
      if (!this.review.unsaved.length) return;
      this.review.save();
      event.preventDefault();
    });
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
    const { drawing } = this.marking;
    try {
      const picture = await get(`/v1/jobs/${this.job.id}/picture`, { signal: this.stop.signal });
      const view = await View.open($("viewer"), picture, {
        select: (x, y, slack) => this.select(x, y, slack),
        click: (x, y) => drawing.point(x, y),
        press: (x, y) => drawing.press(x, y),
        drag: (x, y) => drawing.drag(x, y),
        drop: (x, y) => drawing.drop(x, y),
        move: (x, y) => drawing.hover(x, y),
        failed: (detail) => {
          if (!this.stop.signal.aborted) showProblem({ title: "The picture is not complete", detail });
        },
      });
      if (this.stop.signal.aborted) { view.close(); return; }
      this.view = view;
      view.osd.addOnceHandler("open", () => {
        this.refresh();
        const row = this.counting.byId.get(vessel);
        if (row) this.choose(row, { smooth: false });
      });
    } catch (error) {
      if (!this.stop.signal.aborted) showProblem(error);
    }
  }

  setThreshold(threshold) {
    this.threshold = threshold;
    showThreshold(this.counting, threshold, this.job.options.conf === null ? "the model's" : "as asked for");
    this.recount();
  }

  /** Everything that hangs on the threshold, the kinds and the order. */
  recount() {
    const { counting, threshold } = this;
    showCounts(counting.at(threshold));
    const shown = counting.shown(threshold);
    for (const row of shown) row.near = row.score < threshold + counting.near;
    this.rows = sorted(shown.filter((row) => this.kinds.has(row.kind)), this.order);
    $("list-title").textContent = counted(this.rows.length, "vessel");
    $("no-vessels").hidden = this.rows.length > 0;
    if (this.chosen && !this.rows.includes(this.chosen)) this.chosen = null;
    this.list.chosen = this.chosen;
    this.list.show(this.rows, (row) => this.review.marks.get(row.id) ?? null);
    this.refresh();
  }

  /** Everything that hangs on the verdicts. */
  refresh() {
    const { marks, missing, threshold } = this.review;
    const expected = this.counting.shown(Math.min(this.counting.asked, threshold ?? 1));
    showReview(this.review, expected.filter((row) => marks.has(row.id)).length, expected.length);
    const takeBack = (each) => this.marking.change({ remove: [each] });
    showMissing(this.review, (each) => this.view?.jump(each.corners), takeBack);
    showVessel(this.chosen, this.chosen && marks.get(this.chosen.id));
    this.list.refresh();
    const drawn = this.rows.map((row) => {
      const mark = marks.get(row.id);
      return { ...row, kind: mark?.kind ?? row.kind, mark: mark?.verdict ?? null };
    });
    const highest = (corners) => corners.reduce((best, corner) => (corner[1] < best[1] ? corner : best));
    const added = missing.map((each) => (
      { ...each, near: false, mark: "right", label: "+", side: Infinity, top: highest(each.corners) }
    ));
    this.view?.boxes.show([...drawn, ...added]);
    this.view?.boxes.mark(this.chosen);
  }

  /** Show a vessel everywhere, and bring the picture there. */
  choose(row, { reveal = true, smooth = true } = {}) {
    this.point(row, reveal);
    this.view?.jump(row.corners, { smooth });
  }

  /** Show a vessel everywhere. */
  point(row, reveal) {
    this.chosen = row;
    this.list.choose(row, reveal);
    this.refresh();
    history.replaceState(null, "", `#job=${this.job.id}&vessel=${row.id}`);
  }

  /** The vessel at a place of the picture; the smallest where several lie over each other. */
  select(x, y, slack) {
    const hits = this.rows.filter((row) => inside([x, y], row.corners, slack)).sort((a, b) => a.side - b.side);
    if (hits.length) this.point(hits[0], matchMedia(DESK).matches);
  }

  /** The next vessel of the list, or the one before. */
  step(way) {
    const index = this.rows.indexOf(this.chosen) + way;
    const row = this.rows[Math.min(Math.max(index, 0), this.rows.length - 1)];
    if (row) this.choose(row, { reveal: matchMedia(DESK).matches });
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
    this.marking.hideDrawing();
    this.open(null);
    $("remove-sure").hidden = true;
    this.list.close();
    this.crops.close();
    this.view?.close();
    this.view = null;
    $("result").hidden = true;
    document.title = "tanker-edge";
  }
}
