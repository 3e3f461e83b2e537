/** The engine, as this page asks it: with the token in every request, and with a stream of events that comes back by itself. */

const FIRST_WAIT = 500; // milliseconds before the second try; each further one waits longer
export const LONGEST_WAIT = 10_000;
const SILENCE = 45_000; // the engine says something every 15 s; a line that is silent for longer is dead

/** The engine answered, and said no. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** Whether the token is not the one of the engine that runs now. */
  get locked() {
    return this.status === 401 || this.status === 403;
  }
}

export class Engine {
  #token;
  #hurry = () => {};

  constructor(token) {
    this.#token = token;
  }

  /** Ask for a path; throws Refused, or TypeError when the engine cannot be reached. */
  async ask(path, options = {}) {
    const response = await fetch(path, {
      cache: "no-store",
      credentials: "omit",
      ...options,
      headers: { Authorization: `Bearer ${this.#token}` },
    });
    if (!response.ok) throw new Refused(response.status, await reason(response));
    return response;
  }

  /** Ask for a path and read its JSON. */
  async json(path, options) {
    return (await this.ask(path, options)).json();
  }

  /** Try again now instead of when the wait is over. */
  hurry() {
    this.#hurry();
  }

  /**
   * Listen until the token is refused, which throws. heard: gets each event's name and data. lost: is told when the engine
   * cannot be reached, with the milliseconds until the next try.
   */
  async follow(heard, lost) {
    let misses = 0;
    for (;;) {
      try {
        await this.#listen((event, data) => {
          misses = 0;
          heard(event, data);
        });
      } catch (error) {
        if (error instanceof Refused && error.locked) throw error;
      }
      const wait = Math.min(FIRST_WAIT * 1.6 ** misses, LONGEST_WAIT);
      // A line that breaks once is taken up again without a word.
      if (misses > 0) lost(wait);
      misses += 1;
      await new Promise((resolve) => {
        this.#hurry = resolve;
        setTimeout(resolve, wait);
      });
    }
  }

  async #listen(heard) {
    const line = new AbortController();
    let watch = 0;
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(() => line.abort(), SILENCE);
    };
    try {
      alive();
      const response = await this.ask("/v1/events", { signal: line.signal });
      for await (const { event, data } of events(response.body, alive)) heard(event, JSON.parse(data));
    } finally {
      clearTimeout(watch);
      line.abort();
    }
  }
}

/** The server-sent events of a stream of bytes (WHATWG HTML, 9.2.6), without ids and retry times, which this page has no use for. */
async function* events(stream, alive) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let left = "";
  let event = "message";
  let data = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const lines = (left + value).split(/\r\n|\n|\r(?!$)/);
    left = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) yield { event, data: data.join("\n") };
        event = "message";
        data = [];
        continue;
      }
      const [, field, text] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (field === "event") event = text;
      else if (field === "data") data.push(text);
    }
  }
}

async function reason(response) {
  try {
    const { error } = await response.json();
    return [error.message, error.remedy].filter(Boolean).join(" ");
  } catch {
    return `the engine answered ${response.status}`;
  }
}
