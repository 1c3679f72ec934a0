// A picture on its own, as large as the window allows.
import { make } from "./dom.js";

/** Show the picture of an <img> in a dialog; a click or Escape puts it away. */
export function open(image) {
  const picture = make("img", { src: image.currentSrc || image.src, alt: image.alt, width: image.width, height: image.height });
  const dialog = make("dialog", { class: "lightbox", "aria-label": image.alt }, picture);
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
