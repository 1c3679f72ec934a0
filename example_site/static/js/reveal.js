// Lets things rise as they come into view. Without this module they are simply there.
import { all } from "./dom.js";

export function reveal(elements) {
  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) {
        target.classList.remove("rising");
        watcher.unobserve(target);
      }
    }
  });
  for (const element of elements) {
    // What can be seen already stays where it is.
    if (element.getBoundingClientRect().top > innerHeight) element.classList.add("rising");
    watcher.observe(element);
  }
}

addEventListener("beforeprint", () => {
  for (const element of all(".rising")) element.classList.remove("rising");
});
