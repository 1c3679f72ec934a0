// The basket: slugs and how many of each, kept by the browser.
const KEY = "basket";

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // somebody else's data, or none allowed
  }
}

export function add(slug) {
  const basket = read();
  basket[slug] = (basket[slug] ?? 0) + 1;
  localStorage.setItem(KEY, JSON.stringify(basket));
}

export function count() {
  return Object.values(read()).reduce((sum, number) => sum + number, 0);
}
