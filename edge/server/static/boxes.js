/** Boxes over the picture: a few paths of all boxes of a kind, so that thousands cost no more than one. */

import { svg } from "./dom.js";
import { KINDS, MARKS } from "./format.js";

const LABELLED_PX = 26; // shortest vessel on the screen that gets its number
const MOST_LABELS = 150;
const FAR_SCALE = 0.3; // px of the screen to one of the scene: below it, there is no room in a box
const FRAME_PX = 7; // from a box to its frame
const ARM_PX = 14;

const line = (...points) => `M${points.map((point) => point.map((v) => v.toFixed(1)).join(" ")).join("L")}`;
const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];

/** The outline of a box. */
const outline = ([a, b, c, d]) => `${line(a, b, c, d)}Z`;

/** What tells the kind of a box without colour: the keel of a tanker, a line across an unknown, nothing in another. */
function inner([a, b, c, d], kind) {
  if (kind === "tanker") return line(middle(a, b), middle(c, d));
  return kind === "unknown" ? line(middle(a, d), middle(b, c)) : "";
}

/** A cross through a box that is wrong. */
const crossed = ([a, b, c, d]) => line(a, c) + line(b, d);

/** Four brackets round a box, px of the screen. */
function frame(corners) {
  const unit = ([ax, ay], [bx, by]) => {
    const length = Math.hypot(bx - ax, by - ay) || 1;
    return [(bx - ax) / length, (by - ay) / length];
  };
  const along = unit(corners[3], corners[0]);
  const across = unit(corners[0], corners[1]);
  const signs = [[1, -1], [1, 1], [-1, 1], [-1, -1]]; // ahead and to starboard of the centre
  const out = corners.map(([x, y], i) => [x + FRAME_PX * (signs[i][0] * along[0] + signs[i][1] * across[0]),
    y + FRAME_PX * (signs[i][0] * along[1] + signs[i][1] * across[1])]);
  const arm = (a, b) => {
    const [ux, uy] = unit(a, b);
    const size = Math.min(ARM_PX, Math.hypot(b[0] - a[0], b[1] - a[1]) / 2 - 1);
    return [a[0] + ux * size, a[1] + uy * size];
  };
  return out.map((corner, i) => line(arm(corner, out[(i + 3) % 4]), corner, arm(corner, out[(i + 1) % 4]))).join("");
}

/** How a kind looks, as a small picture for the legend. */
export function swatch(kind, { near = false } = {}) {
  const corners = [[27, 4], [27, 14], [3, 14], [3, 4]];
  const d = outline(corners) + inner(corners, kind);
  return svg("svg", { class: "swatch", viewBox: "0 0 30 18", width: 30, height: 18, "aria-hidden": true },
    svg("path", { class: `line ${kind}${near ? " near" : ""}`, d }));
}

/** What is drawn over the picture. */
export class Boxes {
  constructor(host) {
    this.scaled = svg("g", {});
    this.labels = svg("g", { class: "labels" });
    this.frame = svg("path", { class: "frame" });
    this.root = svg("svg", { class: "boxes", "aria-hidden": true }, this.scaled, this.frame, this.labels);
    host.append(this.root);
    this.paths = new Map();
    this.labelled = [];
    this.extent = "";
    this.last = [1, 0, 0, 1, 1];
  }

  /** Draw these: each has corners, kind, near, mark (right, wrong or null), label and top (a corner). */
  show(rows) {
    const parts = new Map();
    const add = (name, d) => parts.set(name, (parts.get(name) ?? "") + d);
    for (const row of rows) {
      if (row.mark === "wrong") {
        add("wrong", outline(row.corners) + crossed(row.corners));
      } else {
        add(`${row.kind}${row.near ? " near" : ""}`, outline(row.corners));
        add(`${row.kind} inner`, inner(row.corners, row.kind));
        if (row.mark === "right") add(`${row.kind} filled`, outline(row.corners));
      }
    }
    const order = ["wrong", ...KINDS.flatMap((kind) => [`${kind} filled`, `${kind} inner`, `${kind} near`, kind])];
    const nodes = [];
    for (const name of order.filter((each) => parts.has(each))) {
      const d = parts.get(name);
      if (!/filled|inner/.test(name)) nodes.push(svg("path", { class: "casing", d }));
      nodes.push(svg("path", { class: `line ${name}`, d }));
    }
    this.scaled.replaceChildren(...nodes, ...(this.sketched ? [this.sketched] : []));
    this.labelled = rows;
    this.place(...this.last);
  }

  /** Frame one box so that it is seen at once, and nothing of the vessel is hidden; null for none. */
  mark(row) {
    this.framed = row;
    this.place(...this.last);
  }

  /** Draw what is being drawn by hand: points, and corners where there are four. */
  sketch(points, corners) {
    this.sketched?.remove();
    const d = corners ? outline(corners) : points.length > 1 ? line(...points) : "";
    const dots = points.map((point) => line(point, [point[0], point[1] + 0.01])).join("");
    const paths = [["halo", d], ["line", d], ["dots", dots]].map(([name, way]) => svg("path", { class: name, d: way }));
    this.sketched = dots ? svg("g", { class: "sketch" }, ...paths) : null;
    if (this.sketched) this.scaled.append(this.sketched);
  }

  /** Follow the picture: px of the screen to one of the scene, where its corner is, and how large the view is. */
  place(scale, x, y, width, height) {
    this.last = [scale, x, y, width, height];
    this.root.classList.toggle("far", scale < FAR_SCALE);
    this.scaled.setAttribute("transform", `matrix(${scale} 0 0 ${scale} ${x} ${y})`);
    this.frame.setAttribute("d", this.framed ? frame(this.framed.corners.map(([a, b]) => [a * scale + x, b * scale + y])) : "");
    const nodes = [];
    for (const row of this.labelled) {
      const [left, top] = [row.top[0] * scale + x, row.top[1] * scale + y];
      if (left < 0 || top < 0 || left > width || top > height || row.side * scale < LABELLED_PX) continue;
      if (nodes.length >= MOST_LABELS) { nodes.length = 0; break; } // so many say nothing: zoom in
      nodes.push(svg("text", { class: row.kind, x: left.toFixed(1), y: (top - 6).toFixed(1), text: `${MARKS[row.kind]}${row.label}` }));
    }
    this.labels.replaceChildren(...nodes);
  }
}
