/** What is said of one vessel, and how far the check of all of them is. */

import { $, el, showProblem } from "./dom.js";
import { KIND_NAMES, length, number, place, score } from "./format.js";
import { swatch } from "./boxes.js";
import { told } from "./review.js";

const SAVED = { saved: "Saved", saving: "Saving…", unsaved: "Saving…", failed: "Not saved" };

/** The vessel that is shown: what is known of it, and the verdict. */
export function showVessel(row, mark) {
  $("verdicts").hidden = !row;
  if (!row) {
    $("about").textContent = "Choose a vessel in the list or on the picture.";
    return;
  }
  const facts = [
    length(row.length_m, row.length_error_m),
    row.beam_m === null ? null : `${Math.round(row.beam_m)} m beam`,
    row.heading_deg === null ? null : `heading ${Math.round(row.heading_deg)}°`,
    row.size_class,
    `score ${score(row.score)}`,
    row.kind_score === null ? null : `tanker ${Math.round(row.kind_score * 100)} %`,
    row.near ? "near the threshold" : null,
    row.lonlat ? place(row.lonlat) : null,
  ].filter(Boolean);
  const kind = mark?.kind ?? row.kind;
  $("about").replaceChildren(swatch(kind, { near: row.near }), el("strong", { text: `${row.label} ${KIND_NAMES[kind]}` }),
    kind === row.kind ? "" : el("span", { text: `(model: ${KIND_NAMES[row.kind]})` }),
    el("span", { class: "facts", text: facts.join(" · ") }));
  $("right").setAttribute("aria-pressed", mark?.verdict === "right");
  $("wrong").setAttribute("aria-pressed", mark?.verdict === "wrong");
  $("kind").value = kind;
}

/** How many of the boxes are checked, and whether that is saved. */
export function showReview(review, checked, expected) {
  $("checked-bar").max = Math.max(expected, 1);
  $("checked-bar").value = expected ? checked : 1;
  $("checked").textContent = `${number(checked)} of ${number(expected)} checked`;
  $("saved").textContent = review.touched ? SAVED[review.state] : "";
  $("undo").disabled = !review.done.length;
  $("rest-right").disabled = checked >= expected;
  $("searched").checked = review.searched;
  const left = expected - checked;
  const missing = [left ? `${number(left)} boxes are not checked` : "", review.searched ? "" : "the tick above is not set"].filter(Boolean);
  $("complete").textContent = missing.length
    ? `Not learned from yet: ${missing.join(", and ")}.`
    : "Complete: this picture goes into the training set.";
  if (told(review)) showProblem(told(review));
}

/** Vessels that were added by hand. */
export function showMissing(review, onShow, onRemove) {
  const button = (text, label, click) => el("button", { type: "button", class: "small", "aria-label": label, text, on: { click } });
  $("missing-list").replaceChildren(...review.missing.map((missing, i) => el("li", {},
    button(`Added ${i + 1}: ${KIND_NAMES[missing.kind]}`, null, () => onShow(missing)),
    button("Remove", `Remove added vessel ${i + 1}`, () => onRemove(missing)))));
}
