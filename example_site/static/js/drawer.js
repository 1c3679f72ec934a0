// The basket as a drawer at the side of the page.
import { add, count, remove, subscribe, total } from "./basket.js";
import { all, find, make } from "./dom.js";

function row(item) {
  const away = make("button", { type: "button", class: "drawer-remove" }, "Put back");
  away.setAttribute("aria-label", `Put back the ${item.name}`);
  away.addEventListener("click", () => remove(item.slug));
  return make(
    "li",
    { class: "drawer-item" },
    make("span", { class: "drawer-name" }, item.name),
    make("span", { class: "drawer-price" }, `${item.quantity} × £${item.price}`),
    away,
  );
}

export function wireDrawer() {
  const drawer = find("[data-basket]");

  subscribe((items) => {
    find("[data-basket-list]", drawer).replaceChildren(...items.map(row));
    find("[data-basket-empty]", drawer).hidden = count() > 0;
    const sum = find("[data-basket-total]", drawer);
    sum.hidden = count() === 0;
    sum.textContent = `Together £${total()}`;
  });

  for (const button of all("[data-basket-open]")) {
    button.addEventListener("click", () => drawer.showModal());
  }
  for (const button of all("[data-add]")) {
    button.addEventListener("click", () => {
      add(button.dataset);
      drawer.showModal();
    });
  }
  find("[data-basket-close]", drawer).addEventListener("click", () => drawer.close());
  drawer.addEventListener("click", (event) => {
    if (event.target === drawer) {
      drawer.close(); // a click beside the drawer
    }
  });
}
