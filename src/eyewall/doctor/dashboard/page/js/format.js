// Numbers, times and places as people read them. What is not known is "–".

export const UNKNOWN = "–";

const known = (value) => typeof value === "number" && Number.isFinite(value);

const figures = (value, digits) => value.toLocaleString("en", { maximumFractionDigits: digits });

/** A number: `1,234`, with up to `digits` after the point. */
export const number = (value, digits = 0) => (known(value) ? figures(value, digits) : UNKNOWN);

/** A rate, with a digit after the point only where it is small. */
export const rate = (value) => (known(value) ? figures(value, value < 100 ? 1 : 0) : UNKNOWN);

/** A duration in seconds: `250 µs`, `1.7 ms`, `500 ms`, `3.2 s`, `4 min 5 s`, `2 h 3 min`, `5 d 2 h`. */
export function seconds(value) {
  if (!known(value)) return UNKNOWN;
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size < 0.001) return `${figures(value * 1e6, 0)} µs`;
  if (size < 0.01) return `${figures(value * 1e3, 1)} ms`;
  if (size < 1) return `${figures(value * 1e3, 0)} ms`;
  if (size < 60) return `${figures(value, size < 10 ? 1 : 0)} s`;
  const whole = Math.floor(size);
  const pairs = [
    [86400, "d", 3600, "h"],
    [3600, "h", 60, "min"],
    [60, "min", 1, "s"],
  ];
  const [long, longName, short, shortName] = pairs.find(([each]) => whole >= each);
  const rest = Math.floor((whole % long) / short);
  return `${Math.floor(whole / long)} ${longName}${rest ? ` ${rest} ${shortName}` : ""}`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A size in bytes: `0 B`, `36.3 MiB`. */
export function size(value) {
  if (!known(value)) return UNKNOWN;
  let unit = 0;
  let rest = value;
  while (Math.abs(rest) >= 1024 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${figures(rest, unit && rest < 100 ? 1 : 0)} ${UNITS[unit]}`;
}

/** A share of one: `12 %`. */
export const share = (value) =>
  known(value) ? `${figures(value * 100, value > 0 && value < 0.0995 ? 1 : 0)} %` : UNKNOWN;

/** A text, or that there is none. */
export const text = (value) => (value === null || value === undefined || value === "" ? UNKNOWN : String(value));

/** `1 task`, `2 tasks`. */
export const count = (many, one, more = `${one}s`) => `${number(many)} ${many === 1 ? one : more}`;

/** The time of day of a moment: seconds since the epoch, or RFC 3339. */
export function clock(moment) {
  const date = typeof moment === "number" ? new Date(moment * 1000) : new Date(moment);
  return Number.isNaN(date.getTime()) ? UNKNOWN : date.toLocaleTimeString("en-GB");
}

/** Seconds since the epoch of what is seconds already, or RFC 3339. */
export const epoch = (moment) => (typeof moment === "number" ? moment : Date.parse(moment) / 1000);

/** How long ago a moment was, seen at `now` (seconds since the epoch): `just now`, `12 s ago`, `3 min ago`. */
export function ago(moment, now) {
  const passed = now - epoch(moment);
  if (!known(passed)) return UNKNOWN;
  if (passed < 2) return "just now";
  if (passed < 60) return `${Math.floor(passed)} s ago`;
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86400) return `${Math.floor(passed / 3600)} h ago`;
  return `${Math.floor(passed / 86400)} d ago`;
}

/** The end of a file's path: its name. */
export const shortFile = (file) => String(file).slice(String(file).lastIndexOf("/") + 1);

/** A place as `report.py:42`; the whole path with `whole`. */
export const where = (place, whole = false) =>
  place ? `${whole ? place.file : shortFile(place.file)}:${place.line}` : UNKNOWN;
