/** The list of jobs: what runs, what waits in the order in which it will run, what has ended; one stop for the Tab key. */

import { make, makeBar, setBar, tell } from "./dom.js";
import { ended, kindOf, lineOf, shareOf } from "./words.js";

const GROUPS = [
  ["Running", (job) => job.state === "running", (a, b) => b.started - a.started],
  ["Waiting", (job) => job.state === "queued", (a, b) => b.priority - a.priority || a.created - b.created],
  ["Ended", ended, (a, b) => (b.ended ?? b.created) - (a.ended ?? a.created)],
];

export class JobList {
  #box;
  #groups;
  #items = new Map();
  #chosen = null;
  #choose;

  /** choose: is called with an id and whether the job's details are to be gone to. */
  constructor(box, choose) {
    this.#box = box;
    this.#choose = choose;
    this.#groups = GROUPS.map(([name]) => {
      const heading = make("h2", { id: `group-${name}`, role: "presentation" }, name);
      return make("div", { role: "group", "aria-labelledby": heading.id, hidden: "" }, heading);
    });
    box.append(...this.#groups);
    box.addEventListener("keydown", (event) => this.#key(event));
    box.addEventListener("click", (event) => {
      const item = event.target.closest("[role=option]");
      if (item) choose(item.dataset.id, true);
    });
  }

  /** Show jobs, a Map by id. */
  show(jobs) {
    const focused = this.#box.contains(document.activeElement) ? document.activeElement : null;
    for (const [id, item] of this.#items) {
      if (!jobs.has(id)) {
        item.remove();
        this.#items.delete(id);
      }
    }
    GROUPS.forEach(([, belongs, order], at) => {
      const group = this.#groups[at];
      const wanted = [...jobs.values()].filter(belongs).sort(order).map((job) => this.#item(job));
      wanted.forEach((item, place) => {
        if (group.children[place + 1] !== item) group.insertBefore(item, group.children[place + 1] ?? null);
      });
      group.hidden = wanted.length === 0;
    });
    this.#mark();
    // What is moved to another group loses the focus.
    if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
  }

  /** Mark a job as the one that is shown. */
  choose(id) {
    this.#chosen = id;
    this.#mark();
  }

  /** Put the focus on the job that is shown. */
  focus() {
    (this.#items.get(this.#chosen) ?? this.#all()[0])?.focus();
  }

  #all() {
    return [...this.#box.querySelectorAll("[role=option]")];
  }

  #mark() {
    const stop = this.#items.get(this.#chosen) ?? this.#all()[0];
    for (const item of this.#items.values()) {
      item.tabIndex = item === stop ? 0 : -1;
      item.setAttribute("aria-selected", String(item.dataset.id === this.#chosen));
    }
  }

  #item(job) {
    let item = this.#items.get(job.id);
    if (!item) {
      const kind = make("span", { class: "kind" });
      const title = make("span", { class: "title" });
      item = make("div", { role: "option", class: "job", "data-id": job.id, id: `job-${job.id}` });
      item.append(make("span", { class: "mark" }), title, kind, make("span", { class: "line dim" }), makeBar());
      this.#items.set(job.id, item);
    }
    const [, title, kind, line, bar] = item.children;
    item.dataset.state = job.state;
    tell(title, job.title || kindOf(job));
    tell(kind, kindOf(job));
    tell(line, lineOf(job));
    bar.hidden = job.state !== "running";
    setBar(bar, shareOf(job));
    return item;
  }

  #key(event) {
    const items = this.#all();
    const at = items.indexOf(document.activeElement);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1, PageDown: at + 8, PageUp: at - 8 }[event.key];
    if (event.key === "Enter" || event.key === " ") this.#choose(items[at].dataset.id, true);
    else if (to === undefined) return;
    else {
      const item = items[Math.min(Math.max(to, 0), items.length - 1)];
      this.#choose(item.dataset.id, false);
      item.focus();
    }
    event.preventDefault();
  }
}
