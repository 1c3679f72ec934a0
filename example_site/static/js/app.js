// The page's only script element. Everything else is imported, some of it only when it is needed.
import { add, count } from "./basket.js";
import { all, on, say } from "./dom.js";

for (const place of all("[data-basket-count]")) {
  place.textContent = count();
}

on("click", "[data-add]", (button) => {
  add(button.dataset.add);
  for (const place of all("[data-basket-count]")) {
    place.textContent = count();
  }
  say(`In the basket. That makes ${count()}.`);
});

on("click", "[data-lightbox]", async (button) => {
  const { open } = await import("./lightbox.js");
  open(button.querySelector("img"));
});

if (all("[data-reveal]").length > 0 && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
  import("./reveal.js").then(({ reveal }) => reveal(all("[data-reveal]")));
}
