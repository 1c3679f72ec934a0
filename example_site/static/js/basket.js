// The basket: a list of { slug, name, price, quantity } kept in localStorage.

const KEY = "noonmarl.basket";
const listeners = new Set();

let items = read();

function read() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(stored) ? stored : [];
  } catch {
    return []; // storage is off, or holds something that is not ours
  }
}

function changed() {
  try {
    localStorage.setItem(KEY, JSON.stringify(items));
  } catch {
    // The basket still works until the page is left.
  }
  announce();
}

function announce() {
  for (const listener of listeners) {
    listener(items);
  }
}

/** Call back now, and again whenever the basket changes. */
export function subscribe(listener) {
  listeners.add(listener);
  listener(items);
}

/** How many pots there are in all. */
export function count() {
  return items.reduce((sum, item) => sum + item.quantity, 0);
}

/** What they cost together, in pounds. */
export function total() {
  return items.reduce((sum, item) => sum + item.quantity * item.price, 0);
}

export function add({ slug, name, price }) {
  const same = items.find((item) => item.slug === slug);
  items = same
    ? items.map((item) => (item === same ? { ...item, quantity: item.quantity + 1 } : item))
    : [...items, { slug, name, price: Number(price), quantity: 1 }];
  changed();
}

export function remove(slug) {
  items = items.filter((item) => item.slug !== slug);
  changed();
}

// Another tab changed the basket.
window.addEventListener("storage", (event) => {
  if (event.key === KEY || event.key === null) {
    items = read();
    announce();
  }
});
