/** Vessels that the model missed, drawn by hand: bow, stern, then one side; or a line along the vessel, then one side. */

const STEPS = [
  "1 of 3: click the bow. Or drag a line from bow to stern.",
  "2 of 3: click the stern.",
  "3 of 3: click one side of the hull.",
];
const LEAST_PX = 2;

/** Corners of a box, clockwise from the bow-left, out of bow, stern and a point at one side; null where it is flat. */
function boxOf(bow, stern, side) {
  const [dx, dy] = [bow[0] - stern[0], bow[1] - stern[1]];
  const length = Math.hypot(dx, dy);
  if (length < LEAST_PX) return null;
  const [ux, uy] = [dx / length, dy / length];
  const half = Math.abs((side[0] - stern[0]) * uy - (side[1] - stern[1]) * ux);
  if (half < LEAST_PX / 2) return null;
  const [sx, sy] = [-uy * half, ux * half]; // to starboard, as y points down
  const round = (v) => Math.round(v * 100) / 100;
  const at = (end, way) => [round(end[0] + way * sx), round(end[1] + way * sy)];
  return [at(bow, -1), at(bow, 1), at(stern, 1), at(stern, -1)];
}

export class Drawing {
  /** `on` has step(text), sketch(points, corners), and done(corners). */
  constructor(on) {
    this.on = on;
    this.active = false;
    this.points = [];
  }

  start() {
    this.active = true;
    this.points = [];
    this.show();
  }

  stop() {
    this.active = false;
    this.points = [];
    this.on.sketch([], null);
  }

  /** Set the next point. */
  point(x, y) {
    if (!this.active) return;
    this.pressed = null;
    if (this.points.length === 2) {
      const corners = boxOf(...this.points, [x, y]);
      if (corners) this.on.done(corners);
      return;
    }
    const [first] = this.points;
    if (first && Math.hypot(first[0] - x, first[1] - y) < LEAST_PX) return;
    this.points.push([x, y]);
    this.show();
  }

  /** The pointer is here: show what would become of it. */
  hover(x, y) {
    if (!this.active || !this.points.length) return;
    const corners = this.points.length === 2 ? boxOf(...this.points, [x, y]) : null;
    this.on.sketch(this.points.length === 2 ? this.points : [...this.points, [x, y]], corners);
  }

  press(x, y) {
    this.pressed = [x, y];
  }

  /** A line is being drawn from where the pointer was pressed. */
  drag(x, y) {
    if (!this.active || !this.pressed || this.points.length === 2) return;
    this.on.sketch([this.pressed, [x, y]], null);
  }

  /** The line is drawn: both ends at once. */
  drop(x, y) {
    if (!this.active || !this.pressed || this.points.length === 2) return;
    const [px, py] = this.pressed;
    this.pressed = null;
    if (Math.hypot(px - x, py - y) < LEAST_PX) return;
    this.points = [[px, py], [x, y]];
    this.show();
  }

  show() {
    this.on.sketch(this.points, null);
    this.on.step(STEPS[this.points.length]);
  }
}
