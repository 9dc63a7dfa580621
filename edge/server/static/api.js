/** Requests to the server this page came from: with the token, if one is needed, and errors as problems. */

const KEY = "tanker-edge-token";

/** Why something did not work, in the server's words (RFC 9457), or in ours where there was no answer. */
export class Problem extends Error {
  constructor({ title, status = 0, detail, mend, subject } = {}, retryAfter = null) {
    super(detail ?? title);
    Object.assign(this, { title, status, detail, mend, subject, retryAfter });
  }
}

export const noConnection = () => new Problem({
  title: "No connection",
  detail: "The server does not answer",
  mend: "see whether it runs and the network is there, then try again",
});

let asking = null;
let ask = () => Promise.reject(new Problem({ title: "Unauthorized", status: 401 }));

/** Say how to get a token from the user: a function of whether one was refused, which promises one. */
export function askWith(callback) {
  ask = callback;
}

export const token = () => sessionStorage.getItem(KEY);

/** What each request carries. */
export const authorization = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

/** Get a token, once for all requests that were refused; `used` is the one that the refused request carried. */
export async function renewToken(used) {
  if (token() !== used) return; // another request has got one meanwhile
  asking ??= ask(used !== null)
    .then((given) => sessionStorage.setItem(KEY, given))
    .finally(() => { asking = null; });
  await asking;
}

/** The problem that an answer tells, or one made of its status. */
export function problemOf(status, text, retryAfter = null) {
  try {
    return new Problem({ status, ...JSON.parse(text) }, retryAfter);
  } catch {
    return new Problem({ title: `The server answered ${status}`, status, detail: text.slice(0, 200) }, retryAfter);
  }
}

/** A response that is fine; asks for the token where one is needed. */
export async function send(path, { headers = {}, accept = [], ...options } = {}) {
  for (;;) {
    const used = token();
    let response;
    try {
      response = await fetch(path, { ...options, headers: { ...headers, ...authorization() } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw noConnection();
    }
    if (response.ok || accept.includes(response.status)) return response;
    if (response.status !== 401) {
      throw problemOf(response.status, await response.text(), Number(response.headers.get("Retry-After")) || null);
    }
    await renewToken(used);
  }
}

/** The JSON of a response. */
export const get = async (path, options) => (await send(path, options)).json();

/** Wait; ends early when the network comes back or the signal says so. */
export function pause(s, signal) {
  return new Promise((resolve, reject) => {
    const end = (settle) => () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal.removeEventListener("abort", stop);
      settle(signal.reason);
    };
    const [done, stop] = [end(resolve), end(reject)];
    const timer = setTimeout(done, s * 1000);
    addEventListener("online", done);
    signal.addEventListener("abort", stop);
  });
}
