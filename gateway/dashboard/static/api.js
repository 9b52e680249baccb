// The gateway's routes, asked with the key of this tab.

const KEY_NAME = "leaf-dashboard-key";

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }

  get needsKey() {
    return this.status === 401 || this.status === 403;
  }
}

export const keyOfTab = () => sessionStorage.getItem(KEY_NAME);
export const rememberKey = (key) => sessionStorage.setItem(KEY_NAME, key);
export const forgetKey = () => sessionStorage.removeItem(KEY_NAME);

async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  const key = keyOfTab();
  if (key) headers.set("Authorization", `Bearer ${key}`);
  let response;
  try {
    response = await fetch(path, { cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer", ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The gateway does not answer. Check the connection, then refresh.");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Problem(response.status, problem.detail || `The gateway answered ${response.status}.`);
}

const query = (values) => new URLSearchParams(values).toString();

export async function readSummary(hours, signal) {
  return (await ask(`v1/dashboard/summary?${query({ hours })}`, { signal })).json();
}

export async function readComparison(hours, signal) {
  return (await ask(`v1/dashboard/comparison?${query({ hours })}`, { signal })).json();
}

export async function readChart(name, values, signal) {
  return (await ask(`v1/dashboard/charts/${name}.svg?${query(values)}`, { signal })).blob();
}

export async function readPending(cursor, limit) {
  return (await ask(`v1/feedback?${query({ status: "pending", limit, ...(cursor ? { cursor } : {}) })}`)).json();
}

export async function readPhoto(feedbackId) {
  return (await ask(`v1/feedback/${feedbackId}/photo`)).blob();
}

export async function sendReview(feedbackId, review) {
  const body = JSON.stringify(review);
  const headers = { "Content-Type": "application/json" };
  return (await ask(`v1/feedback/${feedbackId}/review`, { method: "POST", headers, body })).json();
}
