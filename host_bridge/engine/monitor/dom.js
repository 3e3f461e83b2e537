/** Small tools for the page's elements. All text goes through textContent, so nothing that a job says can become markup. */

/** Make an element with attributes and children, which are elements or text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Make an element of a drawing. */
export function draw(tag, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}

/** Change what an element says only if it says something else: a selection in it and a screen reader are left alone. */
export function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show rows of [name, value] in a definition list, leaving alone what is as it was. */
export function tellRows(list, rows) {
  while (list.children.length > rows.length) list.lastElementChild.remove();
  rows.forEach(([name, value], at) => {
    if (!list.children[at]) list.append(make("div", {}, make("dt"), make("dd")));
    tell(list.children[at].firstElementChild, name);
    tell(list.children[at].lastElementChild, value);
  });
}

/** Show lines in a list, leaving alone what is as it was. */
export function tellLines(list, lines) {
  while (list.children.length > lines.length) list.lastElementChild.remove();
  lines.forEach((line, at) => {
    if (!list.children[at]) list.append(make("li"));
    tell(list.children[at], line);
  });
}

/** A bar from 0 to 1, or one that only says that work goes on, for a share of null. */
export function makeBar(attributes = {}) {
  return make("div", { class: "bar", ...attributes }, make("div"));
}

/** Set how far a bar made by makeBar is. */
export function setBar(bar, share) {
  bar.classList.toggle("open", share === null);
  bar.firstElementChild.style.width = share === null ? "" : `${Math.min(Math.max(share, 0), 1) * 100}%`;
}
