// Numbers and times as they are read here: English, UTC.

const COUNT = new Intl.NumberFormat("en");
const UTC = { timeZone: "UTC", hour12: false };
const HOUR = new Intl.DateTimeFormat("en-GB", { ...UTC, weekday: "short", hour: "2-digit", minute: "2-digit" });
const DAY_AND_HOUR = new Intl.DateTimeFormat("en-GB", { ...UTC, day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { ...UTC, weekday: "short", day: "numeric", month: "short" });
const MINUTE = new Intl.DateTimeFormat("en-GB", { ...UTC, hour: "2-digit", minute: "2-digit" });

export const NONE = "–";

export const count = (value) => COUNT.format(value);
export const percent = (value) => `${(value * 100).toFixed(value > 0 && value < 0.0995 ? 1 : 0)}\u00a0%`;
export const share = (value) => (value ? percent(value.value) : NONE);
export const interval = (value) => (value ? `${percent(value.low)} to ${percent(value.high)}` : NONE);
export const withInterval = (value) => (value ? `${share(value)} (${interval(value)})` : NONE);
export const ratio = (part, whole) => (whole ? percent(part / whole) : NONE);

export function milliseconds(value) {
  if (value === null || value === undefined) return NONE;
  return value < 10 ? `${value.toFixed(1)}\u00a0ms` : `${count(Math.round(value))}\u00a0ms`;
}

export const minute = (text) => MINUTE.format(new Date(text));
export const moment = (text) => DAY_AND_HOUR.format(new Date(text));

export function bucket(text, hours) {
  const form = hours === 1 ? HOUR : hours < 24 ? DAY_AND_HOUR : DAY;
  return form.format(new Date(text));
}

export const at = (text, hours) => `${hours < 24 ? "from" : "on"} ${bucket(text, hours)}`;
export const bucketName = (hours) => (hours === 1 ? "hour" : hours === 24 ? "day" : "quarter of a day");
export const sum = (values) => values.reduce((total, value) => total + value, 0);
