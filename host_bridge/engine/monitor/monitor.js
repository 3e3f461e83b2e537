/** The monitor page: gets the token, listens to the engine, and keeps the list of jobs and the details of one up to date. */

import { Details } from "./details.js";
import { make, tell } from "./dom.js";
import { Engine, LONGEST_WAIT, Refused } from "./engine.js";
import { JobList } from "./list.js";
import { ended, kindOf, shareOf, stateOf } from "./words.js";

const TOKEN = "faceplate.token";
const AT_ONCE = 100; // jobs that are asked for at a time
const DETAILS_EVERY = 1500; // milliseconds between looks at a running job's curve

const at = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 719px)");

/** Take the token out of the address bar, where others could read it, and keep it for this tab. */
function takeToken() {
  const told = new URLSearchParams(location.hash.slice(1));
  const token = told.get("token");
  if (token) {
    sessionStorage.setItem(TOKEN, token);
    told.delete("token");
    history.replaceState(null, "", told.size ? `#${told}` : location.pathname);
  }
  return sessionStorage.getItem(TOKEN);
}

/** Say how to get in. */
function showDoor(why) {
  tell(at("door-text"), why);
  at("door").hidden = false;
  at("rooms").hidden = true;
  at("banner").hidden = true;
  tell(at("engine"), "");
}

class Page {
  #engine;
  #list;
  #details;
  #jobs = new Map();
  #chosen = new URLSearchParams(location.hash.slice(1)).get("job");
  #more = false;
  #waiting = null;
  #looking = false;
  #looked = -Infinity;
  #later = 0;

  constructor(engine) {
    this.#engine = engine;
    document.body.dataset.view = this.#chosen ? "details" : "list";
    this.#list = new JobList(at("jobs"), (id, go) => this.#choose(id, go));
    this.#details = new Details(engine, at("details-pane"), () => this.#back(), enlarge);
    at("older").addEventListener("click", () => this.#older());
    at("try-now").addEventListener("click", () => engine.hurry());
    at("details-pane").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#back();
    });
  }

  /** Run until the token is refused. */
  async run() {
    tell(at("engine"), "Connecting…");
    await this.#engine.follow(
      (event, data) => this.#heard(event, data),
      (wait) => this.#lost(wait),
    );
  }

  #heard(event, data) {
    if (event === "hello") this.#greeted();
    else if (event === "job" && this.#waiting) this.#waiting.push(data);
    else if (event === "job") this.#update(data);
  }

  #lost(wait) {
    tell(at("engine"), "");
    at("banner").hidden = false;
    const again = wait < LONGEST_WAIT ? "Trying again." : `Trying again every ${LONGEST_WAIT / 1000} seconds.`;
    tell(at("banner-text"), `Engine not reachable. ${again}`);
  }

  /** The line is open: learn what has happened without us. */
  async #greeted() {
    at("banner").hidden = true;
    this.#waiting = []; // what is heard while the list is on its way is newer than the list
    try {
      const [status, { jobs, more }] = await Promise.all([this.#engine.json("/v1/status"), this.#engine.json(`/v1/jobs?limit=${AT_ONCE}`)]);
      const before = this.#jobs;
      this.#jobs = new Map(jobs.map((job) => [job.id, job]));
      this.#more = more;
      const missed = jobs.filter((job) => before.has(job.id) && before.get(job.id).state !== job.state);
      missed.forEach(announce);
      tell(at("engine"), `Engine ${status.version} on ${status.devices.join(", ")}`);
    } catch {
      // The line will break too, and the next greeting asks again.
    }
    const heard = this.#waiting ?? [];
    this.#waiting = null;
    heard.forEach((job) => this.#update(job, false));
    if (!this.#chosen) {
      const first = [...this.#jobs.values()].find((job) => job.state === "running") ?? this.#jobs.values().next().value;
      if (first) this.#chosen = first.id;
    }
    this.#show();
    this.#look();
  }

  #update(job, show = true) {
    const before = this.#jobs.get(job.id);
    if (before) this.#jobs.set(job.id, job);
    else this.#jobs = new Map([[job.id, job], ...this.#jobs]); // newest first, as the engine lists them
    if (before && before.state !== job.state) announce(job);
    if (!this.#chosen) this.#chosen = job.id;
    if (!show) return;
    this.#show();
    if (job.id === this.#chosen) this.#look(before?.state !== job.state);
  }

  #show() {
    const jobs = [...this.#jobs.values()];
    const running = jobs.filter((job) => job.state === "running");
    this.#list.show(this.#jobs);
    this.#list.choose(this.#chosen);
    at("empty").hidden = jobs.length > 0;
    at("list-pane").hidden = jobs.length === 0;
    at("details-pane").hidden = jobs.length === 0;
    at("older").hidden = !this.#more;
    at("rooms").hidden = false;
    const share = running.map(shareOf).find((one) => one !== null);
    document.title = share === undefined ? (running.length ? "Running – Faceplate" : "Faceplate") : `${Math.floor(share * 100)} % – Faceplate`;
    const job = this.#jobs.get(this.#chosen);
    if (job) this.#details.show(job);
  }

  #choose(id, go) {
    const other = id !== this.#chosen;
    this.#chosen = id;
    history.replaceState(null, "", `#job=${id}`);
    this.#list.choose(id);
    if (other) {
      this.#details.show(this.#jobs.get(id));
      this.#look(true);
    }
    if (!go) return;
    document.body.dataset.view = "details";
    if (narrow.matches) scrollTo(0, 0);
    this.#details.focus();
  }

  #back() {
    document.body.dataset.view = "list";
    this.#list.focus();
  }

  /** Ask for all about the chosen job: its curve is in no event. Not more often than is of use. */
  async #look(now = false) {
    const wait = this.#looked + DETAILS_EVERY - performance.now();
    if (this.#looking || (!now && wait > 0)) {
      clearTimeout(this.#later);
      this.#later = setTimeout(() => this.#look(), Math.max(wait, 50));
      return;
    }
    const id = this.#chosen;
    if (!id) return;
    this.#looking = true;
    this.#looked = performance.now();
    try {
      const job = await this.#engine.json(`/v1/jobs/${encodeURIComponent(id)}`);
      // An event that came meanwhile knows better how the job stands.
      if (id === this.#chosen) this.#details.show({ ...job, ...this.#jobs.get(id) });
    } catch (error) {
      if (error instanceof Refused && error.status === 404 && !this.#jobs.has(id)) this.#chosen = null;
    } finally {
      this.#looking = false;
      if (id !== this.#chosen) this.#look(true);
    }
  }

  async #older() {
    const last = [...this.#jobs.keys()].at(-1);
    try {
      const { jobs, more } = await this.#engine.json(`/v1/jobs?limit=${AT_ONCE}&before=${encodeURIComponent(last)}`);
      for (const job of jobs) if (!this.#jobs.has(job.id)) this.#jobs.set(job.id, job);
      this.#more = more;
      this.#show();
      if (!more) this.#list.focus();
    } catch {
      // The banner says that the engine is gone.
    }
  }
}

/** Tell those who hear the page what has become of a job. */
function announce(job) {
  const why = job.error?.message ? `: ${job.error.message}` : "";
  if (ended(job) || job.state === "running") tell(at("announce"), `${kindOf(job)} ${job.title}: ${stateOf(job).toLowerCase()}${why}`);
}

/** Show a picture at its own size. */
function enlarge(name, canvas) {
  const copy = make("canvas", { width: canvas.width, height: canvas.height, role: "img", "aria-label": name });
  copy.getContext("2d").drawImage(canvas, 0, 0);
  tell(at("large-title"), name);
  at("large-room").replaceChildren(copy);
  at("large").showModal();
}

async function begin() {
  const token = takeToken();
  // A link that is opened in a tab which has this page already changes the fragment only.
  addEventListener("hashchange", () => {
    if (new URLSearchParams(location.hash.slice(1)).has("token")) location.reload();
  });
  at("large-close").addEventListener("click", () => at("large").close());
  if (!token) {
    showDoor("Run this in a terminal, and open the address that it prints:");
    return;
  }
  try {
    await new Page(new Engine(token)).run();
  } catch (error) {
    if (!(error instanceof Refused && error.locked)) throw error;
    sessionStorage.removeItem(TOKEN);
    showDoor("The engine was started anew and has another token. Run this in a terminal, and open the address that it prints:");
  }
}

begin();
