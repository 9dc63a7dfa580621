/** Where the page is: the start, a scene on its way, or a result. The part after # says it, so links lead there. */

import { askWith } from "./api.js";
import { $, clearProblem, showProblem } from "./dom.js";
import * as progress from "./progress.js";
import { Result } from "./result.js";
import * as start from "./start.js";
import { askToken } from "./token.js";

let stop = new AbortController();
let result = null;
let sending = false;

function place() {
  const query = new URLSearchParams(location.hash.slice(1));
  return { job: query.get("job"), vessel: Number(query.get("vessel")) || null };
}

/** Leave where the page was. */
function leave() {
  stop.abort(new DOMException("left", "AbortError"));
  stop = new AbortController();
  result?.close();
  result = null;
  start.close();
  clearProblem();
  for (const id of ["start", "progress", "result"]) $(id).hidden = true;
}

/** Show one part of the page, and bring the focus there when the page has been somewhere else before. */
function show(id) {
  for (const each of ["start", "progress", "result"]) $(each).hidden = each !== id;
  if (document.body.dataset.at && document.body.dataset.at !== id) {
    $("main").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  document.body.dataset.at = id;
}

async function go() {
  const { job, vessel } = place();
  leave();
  const { signal } = stop;
  try {
    if (!job) {
      show("start");
      await start.open();
      return;
    }
    const known = await progress.watch(job, signal, () => show("progress"));
    if (signal.aborted) return;
    if (known.state === "done") {
      show("result");
      result = await Result.open(known, vessel, signal);
      if (signal.aborted) { result.close(); result = null; }
    } else {
      show("progress");
      progress.showEnd(known);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (!job) { showProblem(error); return; }
    show("start");
    showProblem(error);
    start.open().then(() => showProblem(error));
  }
}

/** Send a file, then follow its job. */
async function sendScene(file, options) {
  leave();
  const { signal } = stop;
  show("progress");
  sending = true;
  try {
    const id = await progress.start(file, options, signal, () => {});
    start.forget();
    location.hash = `#job=${id}`;
  } catch (error) {
    if (signal.aborted) return;
    show("start");
    start.open();
    showProblem(error);
  } finally {
    sending = false;
  }
}

askWith(askToken);
start.setUp(sendScene);
$("skip").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
addEventListener("hashchange", go);
addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); });
for (const link of document.querySelectorAll('a[href="#"]:not(.skip)')) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    if (location.hash.length > 1) location.hash = "";
    else if (!sending) go();
  });
}
go();
