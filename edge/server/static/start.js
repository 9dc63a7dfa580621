/** The first sight: a place to put a scene, and the scenes that the server has. */

import { get } from "./api.js";
import { ended } from "./events.js";
import { $, clearProblem, el, showProblem } from "./dom.js";
import { ago, between, bytes, clock, counted, number } from "./format.js";

const LOOK_AGAIN_MS = 4000;
const MOST = 100;
const STATES = { receiving: "being sent", waiting: "waiting", running: "counting", failed: "failed", cancelled: "cancelled" };

let timer = null;
let chosen = null;

/** Wire the form; `onSend(file, options)` is called with what was chosen. */
export function setUp(onSend) {
  const drop = $("drop");
  $("file").addEventListener("change", () => choose($("file").files[0]));
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); choose(event.dataTransfer.files[0]); });
  // Dropped beside it, a file must not take the place of the page.
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
  $("send").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!chosen) { $("file").click(); return; }
    const options = {};
    for (const name of ["gsd", "min-length"]) {
      const { value } = $(name);
      if (value !== "") options[name.replace("-", "_")] = Number(value);
    }
    onSend(chosen, options);
  });
}

function choose(file) {
  if (!file) return;
  chosen = file;
  clearProblem();
  $("file-name").textContent = file.name;
  $("file-hint").textContent = `${bytes(file.size)} · choose another, or count this one`;
  $("drop").classList.add("chosen");
}

/** Forget the file that was chosen. */
export function forget() {
  chosen = null;
  $("send").reset();
  $("file-name").textContent = "Choose a scene, or drop it here";
  $("file-hint").textContent = "GeoTIFF, TIFF, JPEG, PNG, WebP or BMP";
  $("drop").classList.remove("chosen");
}

/** Show the list, and look again now and then. */
export async function open() {
  close();
  await refresh();
}

export function close() {
  clearTimeout(timer);
  timer = null;
}

async function refresh() {
  const mine = (timer = setTimeout(() => {}, 0));
  try {
    const { jobs } = await get(`/v1/jobs?limit=${MOST}`);
    if (timer === mine) show(jobs);
  } catch (error) {
    if (timer === mine) showProblem(error);
    if (error.status === 401) return;
  }
  if (timer === mine) timer = setTimeout(() => (document.hidden ? again() : refresh()), LOOK_AGAIN_MS);
}

function again() {
  document.addEventListener("visibilitychange", () => { if (timer !== null) refresh(); }, { once: true });
}

function show(jobs) {
  const rows = JSON.stringify(jobs);
  $("no-jobs").hidden = jobs.length > 0;
  if ($("jobs").dataset.rows === rows) return; // what has the focus keeps it
  $("jobs").dataset.rows = rows;
  const held = document.activeElement?.closest?.("#jobs a")?.getAttribute("href");
  $("jobs").replaceChildren(...jobs.map(row));
  if (held) $("jobs").querySelector(`a[href="${CSS.escape(held)}"]`)?.focus();
}

const found = ({ counts, interval }) => (
  `${counted(counts.tanker, "tanker")} (${between(interval.tanker)}), ${counted(counts.vessel, "vessel")} in all`
);

function row(job) {
  const { done, planned } = job.progress;
  let words = "";
  if (job.state === "done") words = found(job);
  else if (job.state === "running") words = planned ? `${number(done)} of ${number(planned)} tiles` : "being opened";
  else if (job.state === "failed") words = job.error?.detail ?? "";
  const state = job.state === "done" ? [] : [el("span", { class: `tag ${job.state}`, text: STATES[job.state] })];
  const time = job.ended ?? job.created;
  return el("li", {},
    el("a", { href: `#job=${job.id}`, class: "job" },
      el("span", { class: "job-name", text: job.scene }),
      ...state,
      el("span", { class: "job-words", text: words }),
      el("time", { datetime: time, title: clock(time), text: ended(job) ? ago(time) : `sent ${ago(job.created)}` })));
}
