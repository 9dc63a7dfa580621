/** What the model found, counted anew at any threshold without asking it again. */

export class Counting {
  constructor(document, candidates) {
    this.document = document;
    this.asked = candidates.threshold;
    this.near = candidates.near ?? 0;
    this.recounts = candidates.recounts;
    this.floor = Math.ceil(candidates.floor * 100 - 1e-9) / 100;
    const numbers = new Map(document.detections.map((row) => [row.corners.join(), row.id]));
    this.rows = candidates.detections.map((row) => described(row, numbers.get(row.corners.join())));
    this.best = [...this.rows].sort((a, b) => b.score - a.score || a.id - b.id);
    this.byId = new Map(this.rows.map((row) => [row.id, row]));
  }

  /** Counts and intervals at a threshold. */
  at(threshold) {
    const row = this.recounts.find((each) => Math.abs(each.threshold - threshold) < 1e-6);
    return row ?? this.recounts.filter((each) => each.threshold <= threshold).at(-1) ?? this.recounts[0];
  }

  /** The vessels that count at a threshold: as many of the best as the counts say, for scores are rounded. */
  shown(threshold) {
    return this.best.slice(0, this.at(threshold).counts.vessel);
  }
}

/** A row with what drawing and listing it need; `number` is that of the document, if it counted there. */
function described(row, number) {
  const top = row.corners.reduce((best, corner) => (corner[1] < best[1] ? corner : best));
  const [a, b, c] = row.corners;
  const side = Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), Math.hypot(b[0] - c[0], b[1] - c[1]));
  return { ...row, label: number ? String(number) : `c${row.id}`, top, side };
}

const ORDERS = {
  score: (a, b) => b.score - a.score || a.id - b.id,
  doubt: (a, b) => a.score - b.score || a.id - b.id,
  length: (a, b) => (b.length_m ?? b.side) - (a.length_m ?? a.side) || a.id - b.id,
  position: (a, b) => a.id - b.id, // rows come from the top to the bottom of the scene
};

/** The same rows in another order. */
export const sorted = (rows, order) => [...rows].sort(ORDERS[order] ?? ORDERS.score);
