/** A picture that only the token opens: fetched, and drawn on a canvas, so that the page's policy allows no address but its own. */

import { make, tell } from "./dom.js";

export class Picture {
  #engine;
  #path = null;
  #canvas = make("canvas", { width: 0, height: 0 });
  #caption = make("figcaption", { class: "dim" });
  #name;
  element;

  /** name: what is told to those who do not see it. enlarge: is called with the name and the canvas. */
  constructor(engine, name, enlarge) {
    this.#engine = engine;
    this.#name = name;
    const button = make("button", { type: "button", class: "picture", "aria-label": `Enlarge ${name}` }, this.#canvas);
    button.addEventListener("click", () => enlarge(name, this.#canvas));
    this.element = make("figure", { hidden: "" }, button, this.#caption);
    tell(this.#caption, name);
  }

  /** Show what is at a path; what was there stays until it has come. */
  async show(path) {
    if (path === this.#path) return;
    this.#path = path;
    try {
      const answer = await this.#engine.ask(path);
      const bitmap = await createImageBitmap(await answer.blob());
      if (path === this.#path) {
        this.#canvas.width = bitmap.width;
        this.#canvas.height = bitmap.height;
        this.#canvas.getContext("2d").drawImage(bitmap, 0, 0);
        this.element.dataset.shown = path;
        this.element.hidden = false;
        tell(this.#caption, this.#name);
      }
      bitmap.close();
    } catch {
      if (path !== this.#path) return;
      this.#path = null; // the next event tries again
      if (!this.element.hidden) tell(this.#caption, `${this.#name} (an earlier one)`);
    }
  }
}
