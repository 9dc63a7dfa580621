/** Small helpers for the document. Texts are always set as texts, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

/** The element of an id. */
export const $ = (id) => document.getElementById(id);

/** An element with attributes, properties (`text`, `on` = listeners) and children. */
export function el(tag, { text, on, ...attributes } = {}, ...children) {
  return fill(document.createElement(tag), attributes, { text, on }, children);
}

/** The same of SVG. */
export function svg(tag, { text, on, ...attributes } = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, { text, on }, children);
}

function fill(node, attributes, { text, on = {} }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  if (text !== undefined) node.textContent = text;
  for (const [event, listener] of Object.entries(on)) node.addEventListener(event, listener);
  node.append(...children);
  return node;
}

/** Tell screen readers, briefly. */
export function announce(text) {
  $("status").textContent = text;
}

/** Show a problem where people see it; a later one takes its place. */
export function showProblem(error, where = $("errors")) {
  if (error?.name === "AbortError") return;
  where.replaceChildren(problemBox(error));
}

/** Take a problem away again. */
export function clearProblem(where = $("errors")) {
  where.replaceChildren();
}

/** A problem as a box: what, why, and what to do about it. */
export function problemBox(error) {
  const box = el("div", { class: "notice danger" }, el("strong", { text: error.title ?? "Something went wrong" }));
  const detail = error.detail ?? error.message;
  if (detail) box.append(el("p", { text: error.subject ? `${error.subject}: ${detail}` : detail }));
  if (error.mend) box.append(el("p", { text: `What helps: ${error.mend}.` }));
  return box;
}

/** A loaded classic script, once. */
export function script(source) {
  return new Promise((resolve, reject) => {
    const node = el("script", { src: source });
    node.onload = resolve;
    node.onerror = () => reject(new Error(`${source} cannot be loaded`));
    document.head.append(node);
  });
}

/** Whether people want things to hold still. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
