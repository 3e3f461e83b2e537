/** Jobs, numbers and times as people read them. */

const STATES = {
  queued: "Waiting",
  running: "Running",
  finished: "Finished",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** Whether a job has come to an end. */
export const ended = (job) => job.state !== "queued" && job.state !== "running";

/** The word for a job's state. */
export const stateOf = (job) => STATES[job.state] ?? job.state;

/** The word for a job's kind, `faceset` becomes `Faceset`. */
export const kindOf = (job) => capital(job.kind);

/** A word or a name of a field with a capital and spaces. */
export function capital(name) {
  const words = String(name).replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A number with at most four digits that matter, and no zeros after them. */
export function number(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e7 ? value.toExponential(2) : Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 6 });
}

/** A duration in seconds as `4:07` or `1:02:03`. */
export function clock(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  const parts = [Math.floor(whole / 60) % 60, whole % 60];
  const hours = Math.floor(whole / 3600);
  return hours ? [hours, ...parts.map((part) => String(part).padStart(2, "0"))].join(":") : `${parts[0]}:${String(parts[1]).padStart(2, "0")}`;
}

/** A rate, by the unit of time in which it is a number one can picture. of: what is counted. */
export function rate(perSecond, of = "") {
  const [seconds, unit] = [[1, "s"], [60, "min"], [3600, "h"]].find(([many]) => perSecond * many >= 0.1) ?? [3600, "h"];
  return `${number(Number((perSecond * seconds).toPrecision(2)))}${of}/${unit}`;
}

/** A moment, in seconds since 1970, by the clock of this place; the day is left out if it is today. */
export function moment(seconds) {
  const at = new Date(seconds * 1000);
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString()} ${time}`;
}

/** How much of a job is done, 0 to 1; null when that cannot be known. */
export function shareOf(job) {
  if (job.state === "finished") return 1;
  const { stage, done, total, left } = job.progress ?? {};
  // A training may end by the clock, before its last step or without one: the time that it has had and has left knows of both.
  const spent = stage === "train" ? job.metrics?.seconds : null;
  if (typeof left === "number" && typeof spent === "number" && spent + left > 0) return spent / (spent + left);
  return total ? Math.min(done / total, 1) : null;
}

/** How far a job is, in a few words: `detect, 120 of 765`. */
export function farOf(job) {
  const { stage, done, total } = job.progress ?? {};
  if (!stage) return "";
  if (stage === "train") return total ? `step ${number(done)} of ${number(total)}` : `step ${number(done)}`;
  return total ? `${stage}, ${number(done)} of ${number(total)}` : done ? `${stage}, ${number(done)}` : stage;
}

/** The time that a job has left, or nothing. */
export function leftOf(job) {
  const left = job.progress?.left;
  return typeof left === "number" && Number.isFinite(left) ? `${clock(left)} left` : "";
}

/** What an entry in the list says below its title. */
export function lineOf(job) {
  if (job.state === "running") {
    const share = shareOf(job);
    const percent = share === null ? farOf(job) : `${Math.floor(share * 100)} %`;
    return [stateOf(job), percent, leftOf(job)].filter(Boolean).join(" · ");
  }
  return ended(job) && job.ended ? `${stateOf(job)} · ${moment(job.ended)}` : stateOf(job);
}

/** A value of JSON as rows of [name, text]; what is empty is left out, what is nested is named `outer · inner`. */
export function rowsOf(value, name = "") {
  if (value === null || value === undefined || value === "") return [];
  if (Array.isArray(value) && value.every((one) => one === null || typeof one !== "object")) {
    return value.length ? [[name, value.map(String).join("\n")]] : [];
  }
  if (typeof value === "object") {
    return Object.entries(value).flatMap(([key, inner]) => rowsOf(inner, name ? `${name} · ${capital(key).toLowerCase()}` : capital(key)));
  }
  return [[name, typeof value === "boolean" ? (value ? "yes" : "no") : typeof value === "number" ? number(value) : value]];
}
