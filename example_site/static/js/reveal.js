// Lets the parts of a page settle into place as they come into view.

/** Watch the elements; each one below the fold rises a little when it is reached. */
export function reveal(elements) {
  document.documentElement.dataset.reveal = "ready";
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    return;
  }
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          entry.target.classList.remove("is-waiting");
          observer.unobserve(entry.target);
        }
      }
    },
    { rootMargin: "0px 0px -8% 0px" },
  );
  for (const element of elements) {
    if (element.getBoundingClientRect().top > innerHeight) {
      element.classList.add("is-waiting");
      observer.observe(element);
    }
  }
}
