/** Files to keep: fetched with the token, then handed to the browser. */

import { send } from "./api.js";
import { $, clearProblem, el, showProblem } from "./dom.js";

const FILES = [
  ["GeoJSON", "geojson", (job) => `/v1/jobs/${job.id}/result?format=geojson`],
  ["CSV", "csv", (job) => `/v1/jobs/${job.id}/result?format=csv`],
  ["Overlay (PNG)", "overlay.png", (job) => `/v1/jobs/${job.id}/overlay`],
  ["JSON", "json", (job) => `/v1/jobs/${job.id}/result?format=json`],
  ["COCO", "coco.json", (job) => `/v1/jobs/${job.id}/result?format=coco`],
  ["YOLO labels", "txt", (job) => `/v1/jobs/${job.id}/result?format=yolo`],
  ["Checked labels", "checked.txt", (job) => `/v1/jobs/${job.id}/labels`],
];

/** A button a file. */
export function downloadButtons(job, georeferenced) {
  const possible = FILES.filter(([, suffix]) => georeferenced || suffix !== "geojson");
  $("download-buttons").replaceChildren(...possible.map(([name, suffix, path]) => {
    const button = el("button", { type: "button", class: "small", "data-format": suffix, text: name });
    button.addEventListener("click", () => save(button, path(job), `${stem(job.scene)}.${suffix}`));
    return button;
  }));
}

const stem = (name) => name.replace(/\.[^.]*$/, "") || name;

async function save(button, path, name) {
  clearProblem();
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    const url = URL.createObjectURL(await (await send(path)).blob());
    el("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    showProblem(error);
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}
