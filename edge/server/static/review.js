/** What people say of the boxes: kept here, undone here, and saved as a whole, never over what others have saved. */

import { Problem, send } from "./api.js";

const SAVE_AFTER_MS = 200;
const MOST_TRIES = 4;
const MOST_KEPT_ALIVE = 60_000; // bytes; browsers refuse more

export class Review extends EventTarget {
  static async open(job) {
    const review = new Review(job);
    await review.load();
    return review;
  }

  constructor(job) {
    super();
    this.path = `/v1/jobs/${job}/marks`;
    this.marks = new Map();
    this.missing = [];
    this.searched = false;
    this.complete = false;
    this.threshold = null; // the least at which boxes were shown while somebody marked
    this.done = []; // to be undone, the last first
    this.unsaved = []; // to be done again on what others have saved meanwhile
    this.state = "saved";
    this.problem = null;
    this.saving = null;
    this.touched = false;
  }

  async load() {
    const response = await send(this.path, { cache: "no-store" });
    this.tag = response.headers.get("ETag");
    const told = await response.json();
    this.marks = new Map(told.marks.map(({ id, verdict, kind }) => [id, { verdict, kind }]));
    this.missing = told.missing;
    Object.assign(this, { searched: told.searched, complete: told.complete, threshold: told.threshold });
  }

  /** Change something, so that it can be undone; a change has some of marks, add, remove and searched.
   *
   * `marks` is a list of [id, mark or null]; `add` and `remove` are missing vessels; `searched` is a boolean.
   */
  change(change, threshold) {
    this.threshold = Math.min(this.threshold ?? 1, threshold);
    this.done.push(this.apply(change));
    this.keep(change);
  }

  undo() {
    const change = this.done.pop();
    if (!change) return;
    this.apply(change);
    this.keep(change);
  }

  /** Do it; gives what undoes it. */
  apply({ marks = [], add = [], remove = [], searched }) {
    const back = { marks: marks.map(([id]) => [id, this.marks.get(id) ?? null]), add: remove, remove: add };
    if (searched !== undefined) back.searched = this.searched;
    for (const [id, mark] of marks) {
      if (mark) this.marks.set(id, mark);
      else this.marks.delete(id);
    }
    const gone = new Set(remove.map((each) => JSON.stringify(each)));
    this.missing = [...this.missing.filter((each) => !gone.has(JSON.stringify(each))), ...add];
    if (searched !== undefined) this.searched = searched;
    return back;
  }

  keep(change) {
    this.touched = true;
    this.unsaved.push(change);
    this.tell("unsaved");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), SAVE_AFTER_MS);
  }

  tell(state, problem = null) {
    Object.assign(this, { state, problem });
    this.dispatchEvent(new Event("change"));
  }

  /** Save what is not saved yet; resolves when that is done or has failed. */
  async save() {
    clearTimeout(this.timer);
    if (this.saving) await this.saving;
    if (!this.unsaved.length) return;
    this.saving = this.send().finally(() => { this.saving = null; });
    await this.saving;
  }

  async send() {
    for (let tries = 1; ; tries += 1) {
      const sent = this.unsaved.length;
      this.tell("saving");
      try {
        const headers = { "Content-Type": "application/json", "If-Match": this.tag };
        const body = this.text();
        const keepalive = body.length < MOST_KEPT_ALIVE; // so that it arrives even where the page is being left
        const response = await send(this.path, { method: "PUT", headers, body, keepalive });
        this.tag = response.headers.get("ETag");
        this.complete = (await response.json()).complete;
        this.unsaved.splice(0, sent);
        this.tell(this.unsaved.length ? "unsaved" : "saved");
        return;
      } catch (error) {
        if (error.status !== 412 || tries >= MOST_TRIES) {
          this.tell("failed", error);
          return;
        }
        await this.load().catch((problem) => this.tell("failed", problem));
        for (const change of this.unsaved) this.apply(change); // theirs first, then what is ours and new
      }
    }
  }

  text() {
    const marks = [...this.marks].map(([id, { verdict, kind }]) => ({ id, verdict, kind }));
    return JSON.stringify({ marks, missing: this.missing, threshold: this.threshold, searched: this.searched });
  }
}

/** A problem that the user may want to hear of, else null. */
export const told = (review) => (review.state === "failed" ? review.problem ?? new Problem({ title: "Not saved" }) : null);
