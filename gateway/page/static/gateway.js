// Asks the gateway: the page's token, one retry where that can help, progress of uploads, failures as `Failure`.

import { Failure } from "./failures.js";

const STALLED_MS = 40_000; // an upload that has not moved, or an answer that has not come
const LONGEST_WAIT_S = 10;

let held = { token: null, renewAt: 0 };
let renewing = null;

/**
 * Send one request.
 *
 * @param {string} method
 * @param {string} path  relative to the page, so that a gateway below a path works too
 * @param {{body?: FormData | object, language?: string, signal?: AbortSignal, onProgress?: (share: number) => void,
 *          onWait?: (seconds: number) => void}} options
 * @returns {Promise<{body: object | null, language: string}>}
 */
export async function ask(method, path, options = {}) {
  let credential = await token();
  for (let renewed = false, waited = false; ; ) {
    try {
      return await send(method, path, credential, options);
    } catch (failure) {
      if (failure.status === 401 && !renewed) {
        renewed = true;
        credential = await token(true);
      } else if (failure.status === 503 && !waited && options.onWait && failure.retryAfter <= LONGEST_WAIT_S) {
        waited = true;
        await countdown(failure.retryAfter || 1, options);
      } else {
        throw failure;
      }
    }
  }
}

async function token(anew = false) {
  if (!anew && Date.now() < held.renewAt) return held.token;
  renewing ??= send("GET", "page/token", null, {})
    .then(({ body }) => ({ token: body.token, renewAt: Date.now() + body.expires_in * 800 }))
    .catch((failure) => {
      if (failure.status === 404) return { token: null, renewAt: Infinity }; // an open gateway needs none
      throw failure;
    })
    .finally(() => (renewing = null));
  held = await renewing;
  return held.token;
}

function send(method, path, credential, { body, language, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let alarm;
    const alive = () => {
      clearTimeout(alarm);
      alarm = setTimeout(() => finish(() => reject(new Failure("slow"))), STALLED_MS);
    };
    const cancel = () => finish(() => reject(signal.reason));
    const finish = (settle) => {
      clearTimeout(alarm);
      signal?.removeEventListener("abort", cancel);
      settle();
      request.abort(); // does nothing to a request that is done
    };
    if (signal?.aborted) return reject(signal.reason);
    signal?.addEventListener("abort", cancel);

    request.open(method, path);
    request.setRequestHeader("Accept", "application/json, application/problem+json");
    if (credential) request.setRequestHeader("Authorization", `Bearer ${credential}`);
    if (language) request.setRequestHeader("Accept-Language", language);
    const json = body && !(body instanceof FormData);
    if (json) request.setRequestHeader("Content-Type", "application/json");
    if (onProgress) {
      request.upload.onprogress = ({ loaded, total }) => {
        alive();
        if (total) onProgress(loaded / total);
      };
      request.upload.onload = () => onProgress(1);
    }
    request.onprogress = alive;
    request.onerror = () => finish(() => reject(new Failure("offline")));
    request.onload = () =>
      finish(() => {
        const { status } = request;
        const answer = parsed(request.responseText);
        const retryAfter = Math.ceil(Number(request.getResponseHeader("Retry-After"))) || 0;
        if (status >= 200 && status < 300 && (answer || status === 204)) {
          resolve({ body: answer, language: request.getResponseHeader("Content-Language") ?? "en" });
        } else {
          reject(Failure.from(status, answer ?? {}, retryAfter));
        }
      });
    alive();
    request.send(json ? JSON.stringify(body) : (body ?? null));
  });
}

function parsed(words) {
  try {
    return JSON.parse(words);
  } catch {
    return null; // a proxy's page, or nothing
  }
}

async function countdown(seconds, { onWait, signal }) {
  for (let left = seconds; left > 0; left -= 1) {
    onWait(left);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    signal?.throwIfAborted();
  }
}
