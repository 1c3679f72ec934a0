// Loaded when a picture is clicked for the first time.

export function open(picture) {
  const dialog = document.createElement("dialog");
  dialog.className = "lightbox";
  const copy = new Image();
  copy.src = picture.currentSrc;
  copy.alt = picture.alt;
  dialog.append(copy);
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
