/** The count in words: how many, how sure, of what, and what to beware of. */

import { $, el } from "./dom.js";
import { swatch } from "./boxes.js";
import { KINDS, KIND_NAMES, between, counted, number, percent, seconds } from "./format.js";

/** How many, at a threshold. */
export function showCounts({ counts, interval }) {
  $("tankers").textContent = counted(counts.tanker, "tanker");
  $("tankers-interval").textContent = `(${between(interval.tanker)})`;
  $("vessels").textContent = `${counted(counts.vessel, "vessel")} in all`;
  $("vessels-interval").textContent = `(${between(interval.vessel)})`;
  for (const kind of KINDS) {
    const node = $(`kind-${kind}`);
    if (node) node.querySelector(".n").textContent = number(counts[kind]);
  }
}

/** At which threshold they are counted, and how to get back to the one of the count. */
export function showThreshold(counting, threshold, whose) {
  const digits = (value) => String(Number(value.toFixed(4)));
  const { asked, near } = counting;
  const { counts } = counting.at(threshold);
  const same = Math.abs(threshold - asked) < 1e-6;
  const close = counting.shown(threshold).filter((row) => row.score < threshold + near).length;
  const basis = same ? `${whose[0].toUpperCase()}${whose.slice(1)}: from this score on, a box counts.` : "Counted anew at this threshold.";
  const words = `${digits(threshold)}: ${counted(counts.tanker, "tanker")}, ${counted(counts.vessel, "vessel")}`;
  $("threshold").value = threshold;
  $("threshold").setAttribute("aria-valuetext", words);
  $("threshold-value").textContent = digits(threshold);
  $("threshold-hint").textContent = close ? `${basis} ${number(close)} near it, dashed.` : basis;
  $("threshold-back").textContent = `Back to ${digits(asked)}, ${whose}`;
  $("threshold-back").classList.toggle("gone", same);
}

/** Buttons that show and hide the kinds, with how many there are of each. */
export function kindButtons(shown, onChange) {
  const names = { tanker: "Tankers", other: "Other", unknown: "Unknown" };
  $("kinds").replaceChildren(...KINDS.map((kind) => {
    const title = `Show or hide: ${KIND_NAMES[kind]}`;
    const attributes = { type: "button", id: `kind-${kind}`, class: "kind-button", "aria-pressed": true, title };
    const button = el("button", attributes, swatch(kind), el("span", { text: names[kind] }), el("span", { class: "n" }));
    button.addEventListener("click", () => {
      if (shown.has(kind)) shown.delete(kind);
      else shown.add(kind);
      button.setAttribute("aria-pressed", shown.has(kind));
      onChange();
    });
    return button;
  }));
}

/** What the count rests on, in a line and in full. */
export function showTrust(document) {
  const { model, settings, tiles } = document;
  const gsd = document.gsd_m ? `${Number(document.gsd_m.toPrecision(3))} m/px` : "GSD not known";
  const parts = [
    `Coverage ${percent(document.coverage)}`, gsd, `${model.name} ${model.version}`, model.sha256.slice(0, 8),
    seconds(document.seconds.total),
  ];
  $("trust").replaceChildren(...parts.map((text) => el("span", { text })));
  const facts = [
    ["Coverage", `${percent(document.coverage)} of the area asked for`],
    ["Tiles", `${tiles.scored} of ${tiles.planned} scored, ${tiles.skipped} skipped as plain or empty, ${tiles.failed} failed`],
    ["Scene", `${number(document.width)} × ${number(document.height)} px${document.crs ? `, ${document.crs.slice(0, 40)}` : ""}`],
    ["Ground sample distance", document.gsd_m ? `${document.gsd_m} m/px` : "not known: lengths are not told"],
    ["Model", `${model.name}, version ${model.version}`],
    ["SHA-256", model.sha256],
    ["Ran on", `${model.provider}, ${model.precision}`],
    ["Threshold", String(settings.threshold)],
    ["Shortest vessel", settings.min_length_m ? `${settings.min_length_m} m` : "all"],
    ["Time", `${seconds(document.seconds.total)} in all`],
  ];
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: value })]));
}

/** What makes the count less than it seems: tiles that failed, parts that were not seen, warnings. */
export function showAlerts(document) {
  const { tiles, coverage, warnings } = document;
  const boxes = [];
  if (tiles.failed) {
    boxes.push(el("div", { class: "notice danger" },
      el("strong", { text: `${number(tiles.failed)} of ${number(tiles.planned)} tiles failed` }),
      el("p", { text: `${percent(1 - coverage)} of the area was not looked at. Vessels there are not counted: it is no zero.` })));
  } else if (coverage < 1) {
    boxes.push(el("div", { class: "notice warn" },
      el("strong", { text: `Only ${percent(coverage)} of the area was seen` }),
      el("p", { text: "The rest has no valid pixels. Vessels there are not in the count." })));
  }
  if (warnings.length) {
    const items = warnings.map((text) => el("li", { text: `${text[0].toUpperCase()}${text.slice(1)}` }));
    boxes.push(el("div", { class: "notice warn" },
      el("strong", { text: warnings.length === 1 ? "A warning" : `${warnings.length} warnings` }), el("ul", {}, ...items)));
  }
  $("alerts").replaceChildren(...boxes);
}
