/** All about one job: how far it is, what it shows, what it said, what can be done with it. Built once, then kept up to date. */

import { Curve } from "./curve.js";
import { make, makeBar, setBar, tell, tellLines, tellRows } from "./dom.js";
import { Log } from "./log.js";
import { Picture } from "./picture.js";
import { capital, clock, ended, farOf, kindOf, leftOf, moment, number, rate, rowsOf, shareOf, stateOf } from "./words.js";

const PICTURES = { "preview.png": "Latest preview", "sheet.png": "Contact sheet" };

export class Details {
  #engine;
  #enlarge;
  #job = null;
  #busy = false;
  #parts;
  #curve;
  #log;
  #pictures = new Map();

  /** place: the element that it fills. back: is called by the button that leads to the list. enlarge: shows a canvas large. */
  constructor(engine, place, back, enlarge) {
    this.#engine = engine;
    this.#enlarge = enlarge;
    const parts = (this.#parts = build());
    place.replaceChildren(...parts.all);
    parts.back.addEventListener("click", back);
    parts.cancel.addEventListener("click", () => this.#act("cancel"));
    parts.retry.addEventListener("click", () => this.#act("retry"));
    this.#curve = new Curve(parts.curve);
    this.#log = new Log(engine, parts.log);
  }

  /** Show a job; null for none. */
  show(job) {
    const other = job?.id !== this.#job?.id;
    const changed = other || job?.state !== this.#job?.state;
    this.#job = job;
    this.#parts.body.hidden = !job;
    if (!job) return;
    if (other) this.#turn(job);
    else this.#log.more(changed);
    this.#head(job, changed);
    this.#progress(job);
    if (job.curve) this.#curve.show(job.curve);
    this.#showPictures(job);
    tellRows(this.#parts.result, rowsOf(flat(job.result)));
    this.#parts.resultBox.hidden = !this.#parts.result.children.length;
    this.#times(job);
  }

  /** Put the focus where the details begin. */
  focus() {
    this.#parts.title.focus();
  }

  /** Begin with another job. */
  #turn(job) {
    const parts = this.#parts;
    this.#curve.show(null);
    for (const picture of this.#pictures.values()) picture.element.remove();
    this.#pictures.clear();
    const [told, settings] = split(job.request);
    tellRows(parts.request, rowsOf(told));
    tellRows(parts.settings, rowsOf(settings));
    parts.settingsBox.hidden = !parts.settings.children.length;
    tell(parts.refusal, "");
    this.#log.show(job.id);
    parts.body.scrollTop = 0;
  }

  #head(job, changed) {
    const parts = this.#parts;
    tell(parts.kind, kindOf(job));
    tell(parts.title, job.title || kindOf(job));
    tell(parts.state, stateOf(job));
    parts.state.dataset.state = job.state;
    const resumes = job.kind === "train" && job.state === "cancelled";
    const held = [parts.cancel, parts.retry].find((button) => button === document.activeElement);
    parts.cancel.hidden = ended(job);
    parts.retry.hidden = job.state !== "failed" && job.state !== "cancelled";
    if (changed) {
      this.#busy = false;
      tell(parts.cancel, "Cancel");
      tell(parts.retry, resumes ? "Resume" : "Retry");
    }
    // Who pressed a button that is gone now stays in the details, and does not press the other one by accident.
    if (held?.hidden) this.focus();
    parts.error.hidden = !job.error;
    tell(parts.message, job.error?.message ?? "");
    tell(parts.remedy, job.error?.remedy ?? "");
    parts.remedy.hidden = !job.error?.remedy;
    const status = job.error?.exit_status;
    tell(parts.status, typeof status === "number" ? `Exit status ${status}` : "");
  }

  #progress(job) {
    const parts = this.#parts;
    const { rate: speed } = job.progress ?? {};
    const share = shareOf(job);
    parts.progress.hidden = job.state === "finished" || (job.state !== "running" && !job.progress);
    parts.bar.hidden = ended(job);
    setBar(parts.bar, job.state === "running" ? share : (share ?? 0));
    const far = farOf(job) || (job.state === "running" ? "Starting" : "");
    if (share === null) parts.bar.removeAttribute("aria-valuenow");
    else parts.bar.setAttribute("aria-valuenow", Math.floor(share * 100));
    parts.bar.setAttribute("aria-valuetext", far);
    tell(parts.far, ended(job) ? `Got as far as: ${far}` : capital(far));
    const running = job.state === "running";
    tell(parts.speed, [running && speed > 0 ? rate(speed, job.kind === "train" ? " steps" : "") : "", running ? leftOf(job) : ""].filter(Boolean).join(", "));
    const figures = Object.entries(job.metrics ?? {}).filter(([name]) => !["step", "seconds", "of", "rate", "left"].includes(name));
    // The parts of the loss are named by themselves.
    const rows = figures.flatMap(([name, value]) => rowsOf(value, value !== null && typeof value === "object" ? "" : capital(name)));
    const trained = job.metrics?.seconds;
    tellRows(parts.figures, typeof trained === "number" ? [...rows, ["Trained", clock(trained)]] : rows);
    tellLines(parts.messages, job.messages ?? []);
    parts.messagesBox.hidden = !job.messages?.length;
  }

  /** A job names its pictures; the preview is the one that was made last. */
  #showPictures(job) {
    const names = job.pictures?.length ? job.pictures : job.preview ? ["preview.png"] : [];
    this.#parts.shown.hidden = !names.length;
    for (const name of names) {
      if (!this.#pictures.has(name)) {
        this.#pictures.set(name, new Picture(this.#engine, PICTURES[name] ?? name, this.#enlarge));
        this.#parts.shown.append(this.#pictures.get(name).element);
      }
      const version = job.preview?.split("?")[1] ?? "";
      const path = `/v1/jobs/${encodeURIComponent(job.id)}/pictures/${encodeURIComponent(name)}?${version}`;
      this.#pictures.get(name).show(names.length === 1 && job.preview ? job.preview : path);
    }
  }

  #times(job) {
    const until = job.ended ?? (job.state === "running" ? Date.now() / 1000 : null);
    const rows = [
      ["Asked for", moment(job.created)],
      ["Started", job.started ? moment(job.started) : ""],
      ["Ended", job.ended ? moment(job.ended) : ""],
      [ended(job) ? "Took" : "Running for", job.started && until ? clock(until - job.started) : ""],
      ["Attempt", number(job.attempt)],
      ["Device", job.device ?? ""],
      ["Priority", number(job.priority)],
      ["Job", job.id],
    ];
    tellRows(this.#parts.times, rows.filter(([, value]) => value !== ""));
  }

  async #act(what) {
    if (this.#busy) return;
    this.#busy = true;
    const { id, state } = this.#job;
    const button = what === "cancel" ? this.#parts.cancel : this.#parts.retry;
    const label = button.textContent;
    tell(this.#parts.refusal, "");
    tell(button, what === "cancel" ? "Cancelling…" : "Asking…");
    try {
      await this.#engine.ask(`/v1/jobs/${encodeURIComponent(id)}/${what}`, { method: "POST" });
    } catch (error) {
      if (this.#job?.id === id) tell(this.#parts.refusal, error.status ? error.message : "The engine cannot be reached.");
    }
    if (this.#job?.id === id && this.#job.state === state && this.#parts.refusal.textContent) {
      this.#busy = false;
      tell(button, label);
    }
  }
}

/** What a request names itself, and the settings in it. */
function split(request) {
  const entries = Object.entries(request ?? {});
  const nested = ([, value]) => value !== null && typeof value === "object" && !Array.isArray(value);
  return [Object.fromEntries(entries.filter((entry) => !nested(entry))), Object.fromEntries(entries.filter(nested))];
}

/** The values at the top of a result: whole reports lie in the folder that it names. */
function flat(result) {
  const plain = ([name, value]) => name !== "schema" && (value === null || typeof value !== "object");
  return Object.fromEntries(Object.entries(result ?? {}).filter(plain));
}

/** The elements of the details, by name. */
function build() {
  const parts = {
    back: make("button", { type: "button", class: "back" }, "Jobs"),
    kind: make("p", { class: "kind" }),
    title: make("h2", { id: "job-title", tabindex: "-1" }),
    state: make("p", { class: "state" }),
    cancel: make("button", { type: "button" }, "Cancel"),
    retry: make("button", { type: "button" }, "Retry"),
    refusal: make("p", { class: "refusal", role: "alert" }),
    message: make("p"),
    remedy: make("p", { class: "remedy" }),
    status: make("p", { class: "dim" }),
    bar: makeBar({ role: "progressbar", "aria-label": "Progress", "aria-valuemin": "0", "aria-valuemax": "100" }),
    far: make("span"),
    speed: make("span"),
    figures: make("dl", { class: "figures" }),
    curve: make("figure", { class: "drawing", hidden: "" }, make("figcaption", { class: "readout dim" })),
    shown: make("section", { class: "pictures", "aria-label": "Pictures" }),
    messages: make("ul"),
    result: make("dl"),
    request: make("dl"),
    settings: make("dl"),
    times: make("dl", { class: "columns" }),
    log: make("section", { class: "log" }),
  };
  const section = (name, ...children) => make("section", {}, make("h3", {}, name), ...children);
  parts.error = make("section", { class: "error", "aria-label": "Error" }, parts.message, parts.remedy, parts.status);
  parts.progress = make("section", { class: "progress", "aria-label": "Progress" }, parts.bar, make("p", { class: "far" }, parts.far, parts.speed));
  parts.messagesBox = section("Messages", parts.messages);
  parts.resultBox = section("Result", parts.result);
  parts.settingsBox = make("details", {}, make("summary", {}, "All settings"), parts.settings);
  const head = make("div", { class: "job-head" }, make("div", {}, parts.kind, parts.title, parts.state), make("div", { class: "actions" }, parts.cancel, parts.retry));
  parts.body = make(
    "div",
    { class: "body", hidden: "" },
    head,
    parts.refusal,
    parts.error,
    parts.progress,
    parts.figures,
    make("div", { class: "looks" }, parts.curve, parts.shown),
    parts.messagesBox,
    parts.resultBox,
    section("Times", parts.times),
    section("Request", parts.request, parts.settingsBox),
    parts.log,
  );
  parts.all = [parts.back, parts.body];
  return parts;
}
