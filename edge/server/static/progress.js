/** A scene on its way to its result: sent, waiting, counted; or what went wrong. */

import { get, send } from "./api.js";
import { ended, follow } from "./events.js";
import { $, announce, clearProblem, problemBox, showProblem } from "./dom.js";
import { bytes, number } from "./format.js";
import { sendParts, upload } from "./upload.js";

const STATES = {
  receiving: "Sending", waiting: "Waiting for its turn", running: "Counting", done: "Done", failed: "Not counted",
  cancelled: "Cancelled",
};

let told = "";

function show(state, scene) {
  $("progress-state").textContent = state;
  $("progress-scene").textContent = scene;
  $("progress-problem").replaceChildren();
  $("progress-again").hidden = true;
  $("cancel").hidden = false;
  $("progress-bar").hidden = false;
}

function bar(done, all) {
  const node = $("progress-bar");
  if (all) { node.max = all; node.value = done; }
  else node.removeAttribute("value");
}

/** Say it aloud, but not each percent of it. */
function aloud(text, share = 0) {
  const now = `${text} ${Math.floor(share * 4)}`;
  if (now !== told) announce(share ? `${text}, ${Math.floor(share * 100)} %` : text);
  told = now;
}

const sending = (signal) => ({
  progress(sent, size) {
    bar(sent, size);
    $("progress-text").textContent = `${bytes(sent)} of ${bytes(size)}`;
    aloud("Sending", size ? sent / size : 0);
  },
  waiting(s, error) {
    if (signal.aborted) return;
    $("progress-text").textContent = `${error.title ?? "It did not work"}: trying again in ${Math.round(s)} s`;
    announce("The connection was lost. It goes on as soon as the server answers.");
  },
});

/** Send a file; gives the id of its job. */
export async function start(file, options, signal, onId) {
  show("Sending", file.name);
  bar(0, 0);
  $("progress-text").textContent = bytes(file.size);
  let id = null;
  $("cancel").onclick = () => { stop(id); };
  const on = { ...sending(signal), job: (job) => { id = job.id; onId(id); } };
  const job = await upload(file, options, on, signal);
  return job.id;
}

/** Give up what is being sent or counted. */
async function stop(id) {
  $("cancel").disabled = true;
  try {
    if (id) await send(`/v1/jobs/${id}`, { method: "DELETE", accept: [404] });
    if (location.hash.length > 1) location.hash = "";
    else dispatchEvent(new Event("hashchange")); // nothing had been accepted yet: back to the start all the same
  } catch (error) {
    showProblem(error);
  } finally {
    $("cancel").disabled = false;
  }
}

/** Follow a job to its end; gives its last document. `onBegin` is called where there is something to follow. */
export async function watch(id, signal, onBegin) {
  const first = await get(`/v1/jobs/${id}`, { signal });
  if (ended(first)) return first;
  clearProblem();
  onBegin();
  if (first.state === "receiving") return resume(first, signal, onBegin);
  $("cancel").onclick = () => stop(id);
  step(first);
  return follow(id, step, signal);
}

function step(job) {
  show(STATES[job.state], job.scene);
  const { done, planned } = job.progress;
  bar(done, job.state === "running" ? planned : 0);
  const tiles = planned ? `${number(done)} of ${number(planned)} tiles` : "Opening the scene";
  const texts = { waiting: "Scenes are counted one after the other.", running: tiles };
  $("progress-text").textContent = texts[job.state] ?? "";
  aloud(STATES[job.state], planned ? done / planned : 0);
}

/** What was being sent when the page was closed: the same file again, from where it was. */
async function resume(job, signal, onBegin) {
  show("Not all of it was sent", job.scene);
  $("progress-bar").hidden = true;
  $("progress-text").textContent = "It may still be on its way from another window. If it is not:";
  $("progress-again").hidden = false;
  $("cancel").onclick = () => stop(job.id);
  const watching = new AbortController();
  signal.addEventListener("abort", () => watching.abort(signal.reason), { once: true });
  const chosen = new Promise((resolve) => { $("again-file").onchange = () => resolve($("again-file").files[0]); });
  const arrived = moved(job.id, watching.signal);
  const file = await Promise.race([chosen, arrived.then(() => null)]);
  if (file) {
    watching.abort();
    arrived.catch(() => {});
    show("Sending", job.scene);
    try {
      await sendParts(job.id, file, sending(signal), signal);
    } catch (error) {
      if (error.status) throw error;
      showProblem(error);
      return resume(job, signal, onBegin);
    }
  }
  return watch(job.id, signal, onBegin);
}

/** Resolves when a job is no longer being received. */
async function moved(id, signal) {
  let after = null;
  const stopped = new AbortController();
  signal.addEventListener("abort", () => stopped.abort(signal.reason), { once: true });
  await follow(id, (job) => {
    if (job.state !== "receiving") { after = job; stopped.abort(); }
  }, stopped.signal).catch((error) => { if (!after) throw error; });
}

/** Show how a job ended that has no result. */
export function showEnd(job) {
  show(STATES[job.state], job.scene);
  $("progress-bar").hidden = true;
  $("cancel").hidden = true;
  $("progress-text").textContent = job.state === "cancelled" ? "It was cancelled before it was done." : "";
  if (job.error) $("progress-problem").replaceChildren(problemBox(job.error));
  announce(`${job.scene}: ${STATES[job.state]}. ${job.error?.detail ?? ""}`);
}
