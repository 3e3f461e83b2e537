/** The end of a job's log, which grows while the job runs. */

import { make } from "./dom.js";

const LINES = 2000; // more are left out at the top
const EVERY = 1000; // milliseconds between looks

export class Log {
  #engine;
  #text = make("pre", { tabindex: "0", role: "log", "aria-live": "off", "aria-labelledby": "log-title" });
  #follow = make("input", { type: "checkbox", id: "follow", checked: "" });
  #job = null;
  #from = 0;
  #busy = false;
  #read = 0;
  #later = 0;
  #decoder = new TextDecoder();

  /** place: the section that it is put into. */
  constructor(engine, place) {
    this.#engine = engine;
    const label = make("label", { for: "follow" }, this.#follow, "Follow");
    place.append(make("div", { class: "head" }, make("h3", { id: "log-title" }, "Log"), label), this.#text);
    this.#follow.addEventListener("change", () => this.#toEnd());
    new ResizeObserver(() => this.#toEnd()).observe(this.#text); // also when it comes into view
    // Whoever scrolls up wants to read, whoever scrolls to the end wants to follow.
    this.#text.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#text;
      this.#follow.checked = scrollHeight - scrollTop - clientHeight < 8;
    });
  }

  /** Show another job's. */
  show(id) {
    this.#job = id;
    this.#from = 0;
    this.#decoder = new TextDecoder();
    this.#text.replaceChildren();
    this.#follow.checked = true;
    this.more(true);
  }

  /** Read what has been added, if it is time to look again, or now. */
  more(now = false) {
    clearTimeout(this.#later);
    const wait = now ? 0 : this.#read + EVERY - performance.now();
    if (this.#busy || wait > 0) this.#later = setTimeout(() => this.more(), Math.max(wait, EVERY / 4));
    else this.#readOn();
  }

  async #readOn() {
    this.#busy = true;
    this.#read = performance.now();
    const id = this.#job;
    try {
      for (let next = -1; id === this.#job && next !== this.#from; ) {
        next = this.#from;
        const answer = await this.#engine.ask(`/v1/jobs/${encodeURIComponent(id)}/log?from=${this.#from}`);
        const bytes = await answer.arrayBuffer();
        if (id !== this.#job) break;
        this.#from = Number(answer.headers.get("X-Next") ?? this.#from + bytes.byteLength);
        this.#add(this.#decoder.decode(bytes, { stream: true }));
      }
    } catch {
      // No log yet, or no engine: the banner says so, and the next event asks again.
    } finally {
      this.#busy = false;
      if (id !== this.#job) this.more(true);
    }
  }

  #add(text) {
    if (!text) return;
    // Terminal colours mean nothing here, and a line that was overwritten is of no interest.
    const plain = text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "").replace(/[^\n]*\r(?!\n)/g, "");
    const lines = (this.#text.textContent + plain).split("\n");
    this.#text.textContent = lines.slice(-LINES - 1).join("\n");
    if (this.#follow.checked) this.#toEnd();
  }

  #toEnd() {
    if (this.#follow.checked) this.#text.scrollTop = this.#text.scrollHeight;
  }
}
