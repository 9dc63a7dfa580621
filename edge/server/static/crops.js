/** Small pictures of single vessels: fetched a few at a time, the ones asked for last first, and kept for a while. */

import { send } from "./api.js";
import { el, svg } from "./dom.js";

const AT_ONCE = 4;
const KEPT = 300;

export class Crops {
  constructor(job) {
    this.job = job;
    this.kept = new Map();
    this.waiting = [];
    this.running = 0;
    this.stop = new AbortController();
  }

  /** Put the picture of a vessel into an element, as soon as it is there and if the element still is. */
  show(host, row) {
    const known = this.kept.get(row.id);
    if (known) {
      fill(host, known, row);
      return;
    }
    this.waiting.push({ host, row });
    this.next();
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) {
      const { host, row } = this.waiting.pop();
      if (host.isConnected && !host.firstChild) this.fetch(host, row);
    }
  }

  async fetch(host, row) {
    this.running += 1;
    try {
      const response = await send(`/v1/jobs/${this.job}/crops/${row.id}.jpg`, { signal: this.stop.signal });
      const window = response.headers.get("Crop-Window").split(",").map(Number);
      const crop = { url: URL.createObjectURL(await response.blob()), window };
      this.keep(row.id, crop);
      if (host.isConnected) fill(host, crop, row);
    } catch (error) {
      if (!this.stop.signal.aborted) host.title = error.message;
    } finally {
      this.running -= 1;
      this.next();
    }
  }

  keep(id, crop) {
    this.kept.set(id, crop);
    if (this.kept.size <= KEPT) return;
    const [oldest, { url }] = this.kept.entries().next().value;
    this.kept.delete(oldest);
    URL.revokeObjectURL(url);
  }

  close() {
    this.stop.abort();
    for (const { url } of this.kept.values()) URL.revokeObjectURL(url);
    this.kept.clear();
  }
}

function fill(host, { url, window: [x, y, width, height] }, row) {
  const points = row.corners.map((corner) => corner.join(",")).join(" ");
  host.replaceChildren(
    el("img", { src: url, alt: "", width: 64, height: 64, decoding: "async" }),
    svg("svg", { viewBox: `${x} ${y} ${width} ${height}`, "aria-hidden": true },
      svg("polygon", { class: `line ${row.kind}`, points })),
  );
}
