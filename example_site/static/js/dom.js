// Three small helpers, so that the other modules read like sentences.

/** The first element that matches, or null. */
export function find(selector, within = document) {
  return within.querySelector(selector);
}

/** Every element that matches, as an array. */
export function all(selector, within = document) {
  return [...within.querySelectorAll(selector)];
}

/** A new element with attributes and children; strings become text. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}
