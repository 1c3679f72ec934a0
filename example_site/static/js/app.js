// The front door: wires the basket to the page and fetches the rest when it is wanted.
import { count, subscribe } from "./basket.js";
import { all, find } from "./dom.js";
import { wireDrawer } from "./drawer.js";

// The number in the header follows the basket, in this tab and in the others.
subscribe(() => {
  for (const place of all("[data-basket-count]")) {
    place.textContent = String(count());
    place.classList.toggle("is-full", count() > 0);
  }
});

wireDrawer();

// A closer look at a picture: nobody pays for the module before the first click.
for (const button of all("[data-lightbox]")) {
  button.addEventListener("click", async () => {
    const { open } = await import("./lightbox.js");
    open(find("img", button));
  });
}

// The sections settle as they scroll into view. Fetched once the page has nothing better to do.
if (find("[data-reveal]")) {
  const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 200));
  whenIdle(async () => {
    const { reveal } = await import("./reveal.js");
    reveal(all("[data-reveal]"));
  });
}
