/** Scenes on their way to the server: small ones whole, others in parts that go on after a lost connection. */

import { authorization, noConnection, pause, problemOf, renewToken, send, token } from "./api.js";

const PART_BYTES = 8 * 2 ** 20;
const LONGEST_PAUSE_S = 30;

/** A job for a file; `on` has `progress(sent, size)`, `waiting(seconds, problem)` and `job(document)`. */
export async function upload(file, options, on, signal) {
  const key = randomKey();
  if (file.size <= PART_BYTES) {
    const query = new URLSearchParams({ name: file.name, ...options });
    const type = "application/octet-stream";
    const headers = { "Content-Type": type, "Idempotency-Key": key };
    const request = { method: "POST", path: `/v1/jobs?${query}`, headers, body: file };
    return insist(async () => JSON.parse((await transfer(request, on.progress, signal)).text), on, signal);
  }
  const body = JSON.stringify({ upload: { name: file.name, size: file.size }, options });
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  const job = await insist(async () => (await send("/v1/jobs", { method: "POST", headers, body, signal })).json(), on, signal);
  on.job(job);
  await sendParts(job.id, file, on, signal);
  return job;
}

/** Send what the server does not have yet of a file. */
export async function sendParts(id, file, on, signal) {
  const path = `/v1/jobs/${id}/scene`;
  let offset = await insist(() => received(path, file, signal), on, signal);
  while (offset < file.size) {
    const from = offset;
    const body = file.slice(from, from + PART_BYTES);
    const headers = { "Content-Type": "application/octet-stream", "Upload-Offset": String(from) };
    offset = await insist(async (again) => {
      const at = again ? await received(path, file, signal) : from;
      if (at !== from) return at; // the part, or some of it, had arrived after all
      const progress = (sent) => on.progress(from + sent, file.size);
      const answer = await transfer({ method: "PATCH", path, headers, body, accept: [409] }, progress, signal);
      return Number(answer.header("Upload-Offset") ?? from + body.size);
    }, on, signal);
    on.progress(offset, file.size);
  }
}

/** How many bytes of a file the server has. */
async function received(path, file, signal) {
  const { headers } = await send(path, { method: "HEAD", signal, cache: "no-store" });
  const size = Number(headers.get("Upload-Length") ?? file.size);
  if (size !== file.size) {
    throw Object.assign(new Error(`it has ${file.size} bytes, the upload that began ${size}`), { title: "This is another file" });
  }
  return Number(headers.get("Upload-Offset"));
}

/** Try until it works, or fails for a reason that trying again does not mend. */
async function insist(attempt, on, signal) {
  for (let failures = 0; ; failures += 1) {
    try {
      return await attempt(failures > 0);
    } catch (error) {
      const passing = error.status === 0 || error.status === 503 || error.status === 408;
      if (signal.aborted || !passing) throw error;
      const wait = error.retryAfter ?? Math.min(2 ** failures, LONGEST_PAUSE_S);
      on.waiting(wait, error);
      await pause(wait, signal);
    }
  }
}

/** One request with a body, by XMLHttpRequest: fetch does not tell how much has been sent. */
async function transfer(request, onProgress, signal) {
  for (;;) {
    const used = token();
    const answer = await once(request, onProgress, signal);
    if (answer.status < 300 || request.accept?.includes(answer.status)) return answer;
    if (answer.status !== 401) {
      throw problemOf(answer.status, answer.text, Number(answer.header("Retry-After")) || null);
    }
    await renewToken(used);
  }
}

function once({ method, path, headers, body }, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const stop = () => xhr.abort();
    xhr.open(method, path);
    for (const [name, value] of Object.entries({ ...headers, ...authorization() })) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = (event) => onProgress(event.loaded, body.size);
    xhr.onload = () => resolve({ status: xhr.status, text: xhr.responseText, header: (name) => xhr.getResponseHeader(name) });
    xhr.onerror = () => reject(noConnection());
    xhr.onabort = () => reject(signal.reason);
    xhr.onloadend = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop);
    if (signal.aborted) return reject(signal.reason);
    xhr.send(body);
    return undefined;
  });
}

/** By crypto.getRandomValues: randomUUID is only there over HTTPS and on loopback. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
