// Three small words for what every page does.

export const all = (selector) => [...document.querySelectorAll(selector)];

export function on(type, selector, handle) {
  document.addEventListener(type, (event) => {
    const target = event.target.closest(selector);
    if (target) handle(target, event);
  });
}

export function say(text) {
  for (const place of all("[data-said]")) {
    place.textContent = text;
  }
}
