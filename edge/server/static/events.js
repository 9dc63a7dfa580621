/** Server-sent events, read by fetch: the browser's own EventSource cannot send a token. */

import { get, pause, send } from "./api.js";

const ENDED = new Set(["done", "failed", "cancelled"]);

/** Whether a job will not change any more. */
export const ended = (job) => ENDED.has(job.state);

/** Follow a job until it has ended; goes on after a lost connection. Gives the last document. */
export async function follow(id, onJob, signal) {
  for (let failures = 0; ; ) {
    try {
      const response = await send(`/v1/jobs/${id}/events`, { signal, headers: { Accept: "text/event-stream" } });
      let last = null;
      for await (const job of jobs(response.body)) {
        failures = 0;
        last = job;
        onJob(job);
      }
      if (last && ended(last)) return last;
    } catch (error) {
      if (signal.aborted) throw error;
      if (error.status >= 400 && error.status !== 503) throw error;
      failures += 1;
    }
    await pause(Math.min(1 + failures, 10), signal);
    const job = await get(`/v1/jobs/${id}`, { signal }).catch((error) => {
      if (signal.aborted || (error.status >= 400 && error.status !== 503)) throw error;
      return null;
    });
    if (job) onJob(job);
    if (job && ended(job)) return job;
  }
}

/** Documents out of a stream of events. */
async function* jobs(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim());
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}
