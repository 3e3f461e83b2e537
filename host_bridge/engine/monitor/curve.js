/** The loss of a training over its steps, as an SVG that fits its place and whose text keeps its size. */

import { draw, tell } from "./dom.js";
import { number } from "./words.js";

const HEIGHT = 220;
const EDGE = { top: 10, right: 14, bottom: 38, left: 62 };

export class Curve {
  #figure;
  #svg = draw("svg", { class: "curve", role: "img" });
  #readout;
  #points = [];
  #scale = null;

  /** figure: has an element of the class `readout`, which says what the drawing shows. */
  constructor(figure) {
    this.#figure = figure;
    this.#readout = figure.querySelector(".readout");
    figure.prepend(this.#svg);
    new ResizeObserver(() => this.#redraw()).observe(figure);
    this.#svg.addEventListener("pointermove", (event) => this.#point(event));
    this.#svg.addEventListener("pointerleave", () => this.#redraw());
  }

  /** Draw [[step, loss], ...], or nothing for fewer than two points. */
  show(points) {
    this.#points = (points ?? []).filter((point) => point.every(Number.isFinite));
    this.#figure.hidden = this.#points.length < 2;
    this.#redraw();
  }

  #redraw() {
    const width = Math.floor(this.#figure.clientWidth);
    if (this.#figure.hidden || width < EDGE.left + EDGE.right + 40) return;
    const points = this.#points;
    const losses = points.map(([, loss]) => loss);
    const [low, high] = [Math.min(...losses), Math.max(...losses)];
    const log = low > 0 && high / low >= 10;
    const [first, last] = [points[0], points.at(-1)];
    const x = scale(first[0], last[0], EDGE.left, width - EDGE.right);
    const [bottom, top] = log ? [low, high] : widened(low, high);
    const along = scale(log ? Math.log(bottom) : bottom, log ? Math.log(top) : top, HEIGHT - EDGE.bottom, EDGE.top);
    const y = (loss) => along(log ? Math.log(loss) : loss);
    this.#scale = { x, y };

    const lines = [];
    for (const tick of log ? decades(low, high) : even(bottom, top, 4)) {
      lines.push(draw("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(tick), y2: y(tick) }));
      lines.push(draw("text", { x: EDGE.left - 8, y: y(tick) + 4, "text-anchor": "end" }, number(tick)));
    }
    for (const tick of even(first[0], last[0], Math.max(4, Math.floor(width / 110)), true)) {
      const anchor = x(tick) > width - 40 ? "end" : "middle";
      lines.push(draw("line", { class: "grid", x1: x(tick), x2: x(tick), y1: HEIGHT - EDGE.bottom, y2: HEIGHT - EDGE.bottom + 4 }));
      lines.push(draw("text", { x: anchor === "end" ? Math.max(x(tick), width - EDGE.right) : x(tick), y: HEIGHT - EDGE.bottom + 17, "text-anchor": anchor }, number(tick)));
    }
    const middle = (EDGE.top + HEIGHT - EDGE.bottom) / 2;
    const name = log ? "loss, log scale" : "loss";
    lines.push(draw("text", { class: "axis", x: (EDGE.left + width - EDGE.right) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "step"));
    lines.push(draw("text", { class: "axis", transform: `translate(12 ${middle}) rotate(-90)`, "text-anchor": "middle" }, name));
    lines.push(draw("polyline", { class: "line", points: points.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join(" ") }));
    lines.push(draw("circle", { class: "dot", cx: x(last[0]), cy: y(last[1]), r: 3.5 }));

    const best = points.reduce((least, point) => (point[1] < least[1] ? point : least));
    const summary = `Now ${number(last[1])} at step ${number(last[0])}, lowest ${number(best[1])} at step ${number(best[0])}.`;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.#svg.setAttribute("height", HEIGHT);
    this.#svg.setAttribute("aria-label", `The loss from step ${number(first[0])} to ${number(last[0])}. ${summary}`);
    this.#svg.replaceChildren(...lines);
    tell(this.#readout, summary);
  }

  /** Mark the point nearest to the pointer, and say what it is. */
  #point(event) {
    if (!this.#scale) return;
    const at = event.clientX - this.#svg.getBoundingClientRect().left;
    const { x, y } = this.#scale;
    const [step, loss] = this.#points.reduce((near, point) => (Math.abs(x(point[0]) - at) < Math.abs(x(near[0]) - at) ? point : near));
    const dot = this.#svg.querySelector(".dot");
    dot.setAttribute("cx", x(step));
    dot.setAttribute("cy", y(loss));
    tell(this.#readout, `${number(loss)} at step ${number(step)}.`);
  }
}

function scale(from, to, start, end) {
  const span = to - from || 1;
  return (value) => start + ((value - from) / span) * (end - start);
}

function widened(low, high) {
  // A loss that hardly changes is not made to look as if it did.
  const room = Math.max((high - low) * 0.1, Math.abs(high + low) * 0.05 - (high - low) / 2) || 1;
  return [low >= 0 ? Math.max(low - room, 0) : low - room, high + room];
}

/** Round values between two, `count` of them or a few more. */
function even(low, high, count, whole = false) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.8) * power, whole ? 1 : 0);
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high * (1 + 1e-9); at += 1) ticks.push(Number((at * step).toPrecision(12)));
  return ticks;
}

/** The powers of ten between two values, with two and five times of them when they are few. */
function decades(low, high) {
  const factors = high / low < 1000 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const factor of factors) ticks.push(Number((factor * 10 ** power).toPrecision(12)));
  }
  return ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
}
