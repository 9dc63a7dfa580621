/** Numbers as people read them. */

const whole = new Intl.NumberFormat("en");
const PLURAL = { tanker: "tankers", vessel: "vessels", other: "other vessels", unknown: "of unknown kind" };
export const KINDS = ["tanker", "other", "unknown"];
export const KIND_NAMES = { tanker: "tanker", other: "other vessel", unknown: "unknown kind" };
/** Before the number of a vessel, as on the overlay: a kind does not hang on colour alone. */
export const MARKS = { tanker: "T", other: "", unknown: "?" };

export const number = (value) => whole.format(value);

/** "1 tanker", "8 tankers". */
export const counted = (n, kind) => `${number(n)} ${n === 1 && kind !== "unknown" ? KIND_NAMES[kind] ?? kind : PLURAL[kind]}`;

/** "7 to 9". */
export const between = ([low, high]) => `${number(low)} to ${number(high)}`;

/** A share, cut and never rounded up: 100 % means all of it. */
export function percent(share) {
  if (share >= 1) return "100 %";
  return `${(Math.min(Math.floor(share * 1000 + 1e-9), 999) / 10).toFixed(1)} %`;
}

export const score = (value) => value.toFixed(2);

/** "183 m ± 9 m", or null where nobody knows. */
export function length(value, error) {
  if (value === null) return null;
  return error === null ? `${Math.round(value)} m` : `${Math.round(value)} m ± ${Math.max(1, Math.round(error))} m`;
}

/** Longitude and latitude as "53.12345° N, 8.54321° E". */
export function place([lon, lat]) {
  return `${Math.abs(lat).toFixed(5)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(lon).toFixed(5)}° ${lon < 0 ? "W" : "E"}`;
}

export function bytes(n) {
  if (n < 1e6) return `${Math.max(1, Math.round(n / 1e3))} kB`;
  return n < 1e9 ? `${(n / 1e6).toFixed(n < 1e7 ? 1 : 0)} MB` : `${(n / 1e9).toFixed(1)} GB`;
}

export function seconds(s) {
  if (s < 10) return `${s.toFixed(1)} s`;
  return s < 120 ? `${Math.round(s)} s` : `${Math.round(s / 60)} min`;
}

/** How long ago, in words. */
export function ago(time) {
  const s = Math.max(0, (Date.now() - new Date(time)) / 1000);
  if (s < 60) return "just now";
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

/** A time of the clock on the wall. */
export const clock = (time) => new Date(time).toLocaleString();
