// What can go wrong, in the words of the page.

import { text } from "./texts.js";

const BY_TYPE = {
  "receive-timeout": "slow",
  "upload-too-large": "size",
  "unsupported-format": "format",
  "image-too-small": "small",
  "image-too-large": "pixels",
  "image-too-elongated": "narrow",
  "several-frames": "frames",
  "undecodable-image": "broken",
  "malformed-upload": "broken",
  "no-usable-photo": "unusable",
  "too-many-photos": "many",
  "rate-limited": "limit",
  "unknown-prediction": "gone",
  "photo-mismatch": "gone",
  "feedback-conflict": "reviewed",
  "deadline-exceeded": "busy",
};
const BY_STATUS = { 401: "access", 403: "access", 408: "slow", 413: "size", 415: "format", 429: "limit", 503: "busy" };
const SMALLER_HELPS = new Set(["slow", "size", "pixels"]);
const OF_THE_PHOTO = new Set(["format", "small", "narrow", "frames", "broken", "unusable", "many"]);

/** A request that got no answer, or a problem (RFC 9457) instead of one. */
export class Failure extends Error {
  /** @param {string} kind  ends the key of its text: `problem_<kind>` */
  constructor(kind, { status = 0, body = {}, retryAfter = 0 } = {}) {
    super(kind);
    Object.assign(this, { kind, status, body, retryAfter });
  }

  static from(status, body, retryAfter) {
    const kind = kindOf(body, status);
    return new Failure(kind, { status, body, retryAfter });
  }

  get words() {
    return text(`problem_${this.kind}`);
  }

  /** Whether the same photos, made smaller, could pass. */
  get smallerHelps() {
    return SMALLER_HELPS.has(this.kind);
  }

  /** Whether only another photo helps, so that sending this one again is no use. */
  get needsOtherPhoto() {
    return OF_THE_PHOTO.has(this.kind);
  }

  /** For whoever looks it up in the gateway's log. */
  get details() {
    const { detail, request_id: id } = this.body;
    return [detail, this.status && `HTTP ${this.status}`, id && `request ${id}`].filter(Boolean).join(" · ");
  }
}

/** The words for one photo's problem inside an answer about several. */
export const wordProblem = (problem) => text(`problem_${kindOf(problem, problem.status)}`);

function kindOf(problem, status) {
  return BY_TYPE[String(problem?.type ?? "").split("/").pop()] ?? BY_STATUS[status] ?? "service";
}
