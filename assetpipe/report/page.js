"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const make = (name, props = {}, ...inner) => {
    const element = Object.assign(document.createElement(name), props);
    element.append(...inner);
    return element;
  };

  // ------------------------------------------------------------------ what there is

  const data = JSON.parse($("data").textContent);
  const STATES = ["", "added", "changed"];
  const folders = [];
  for (const [parent, name] of data.folders) {
    const up = folders[parent] ?? null;
    folders.push({ folder: true, name, up, path: up ? `${up.path}${name}/` : "/", inner: [] });
    up?.inner.push(folders.at(-1));
  }
  const files = data.files.map(([place, name, type = 0, bytes = 0, ...more]) => {
    const up = folders[place];
    const ways = data.ways.map((_, i) => more[i] ?? 0);
    const [state = 0, reason = 0, hidden = 0] = more.slice(data.ways.length);
    const sent = Math.min(bytes, ...ways.filter(Boolean));
    const [media, kind] = data.types[type];
    const file = { name, up, path: up.path + name, media, kind, bytes, ways, sent, state, reason, hidden };
    file.way = sent < bytes ? data.ways[ways.indexOf(sent)] : "it is";
    file.states = 1 << state;
    file.less = bytes ? (bytes - sent) / bytes : 0;
    file.words = `${file.path} ${media} ${STATES[state]}`.toLowerCase();
    up.inner.push(file);
    return file;
  });

  // As in assetpipe/units.py.
  const size = (count) => {
    if (count < 1000) return `${count} B`;
    let value = count / 1000;
    const units = ["kB", "MB", "GB"];
    while (value >= 999.5 && units.length > 1) { value /= 1000; units.shift(); }
    return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${units[0]}`;
  };
  const share = (part) => {
    const percent = 100 * part;
    if (percent > 0 && percent < 0.5) return "<1 %";
    return percent >= 99.5 && percent < 100 ? ">99 %" : `${Math.round(percent)} %`;
  };
  const number = (count) => count.toLocaleString("en");
  const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

  // ------------------------------------------------------------------ what is shown of it

  const view = { measure: "bytes", colour: "kind", off: new Set(), words: [], root: folders[0] };
  let shown = files;

  const choose = () => {
    shown = files.filter((file) => !view.off.has(file.kind) && view.words.every((word) => file.words.includes(word)));
    measure();
  };
  // Children come after their folder, so backwards each is done before what holds it.
  const measure = () => {
    for (const folder of folders) Object.assign(folder, { value: 0, count: 0, bytes: 0, sent: 0, kinds: {}, states: 0, seen: [] });
    for (const file of files) file.value = 0;
    for (const file of shown) {
      file.value = file[view.measure];
      add(file.up, file, file.value, 1);
      file.up.kinds[file.kind] = (file.up.kinds[file.kind] ?? 0) + file.value;
    }
    for (const folder of [...folders].reverse()) {
      folder.seen.sort((one, other) => other.value - one.value);
      if (!folder.up || !folder.value) continue;
      add(folder.up, folder, folder.value, folder.count);
      for (const [kind, value] of Object.entries(folder.kinds))
        folder.up.kinds[kind] = (folder.up.kinds[kind] ?? 0) + value;
    }
  };
  const add = (folder, item, value, count) => {
    folder.value += value;
    folder.count += count;
    folder.bytes += item.bytes;
    folder.sent += item.sent;
    folder.states |= item.states;
    if (value) folder.seen.push(item);
  };
  /** A folder that holds but another folder is shown with it as one: its name, and what it leads to. */
  const unfold = (folder) => {
    let name = folder.name;
    while (folder.seen.length === 1 && folder.seen[0].folder) {
      folder = folder.seen[0];
      name += `/${folder.name}`;
    }
    return [folder, name];
  };

  // ------------------------------------------------------------------ the treemap

  const SMALLEST = 150; // square pixels: what has less is put together
  const LEAST = 34; // pixels: what has less on a side is not opened
  const HEAD = 18;
  const map = $("treemap");
  let boxes = new Map();

  /** Squarified (Bruls, Huizing, van Wijk 2000): strips along the shorter side, each as long as that helps. */
  const squarify = (items, x, y, w, h, put) => {
    let left = items.reduce((sum, item) => sum + item.value, 0);
    for (let start = 0, end; start < items.length; start = end) {
      const side = Math.min(w, h);
      const scale = (w * h) / left;
      let sum = 0;
      let worst = Infinity;
      for (end = start; end < items.length; end++) {
        const grown = sum + items[end].value;
        const thick = (grown * scale) / side;
        const [long, short] = [items[start], items[end]].map((item) => (item.value * scale) / thick);
        const ratio = Math.max(long / thick, thick / short);
        if (ratio > worst) break;
        worst = ratio;
        sum = grown;
      }
      const thick = (sum * scale) / side;
      let at = 0;
      for (const item of items.slice(start, end)) {
        const length = (item.value * scale) / thick;
        if (w >= h) put(item, x, y + at, thick, length);
        else put(item, x + at, y, length, thick);
        at += length;
      }
      if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
      left -= sum;
    }
  };

  const lay = (folder, x, y, w, h, out) => {
    const area = (w * h) / folder.value;
    const large = folder.seen.filter((item) => item.value * area >= SMALLEST);
    const small = folder.seen.slice(large.length);
    if (small.length === 1) large.push(...small.splice(0));
    if (small.length) {
      const rest = { rest: true, up: folder, value: 0, count: 0, bytes: 0, sent: 0, states: 0, kinds: {}, path: folder.path };
      for (const item of small) {
        rest.value += item.value;
        rest.count += item.count ?? 1;
        rest.bytes += item.bytes;
        rest.sent += item.sent;
        rest.states |= item.states;
        for (const [kind, value] of item.folder ? Object.entries(item.kinds) : [[item.kind, item.value]])
          rest.kinds[kind] = (rest.kinds[kind] ?? 0) + value;
      }
      rest.name = plural(rest.count, "file");
      large.push(rest);
      large.sort((one, other) => other.value - one.value);
    }
    squarify(large, x, y, w, h, (item, x, y, w, h) => {
      const [target, name] = item.folder ? unfold(item) : [item, item.name];
      const inner = target.folder && (target.seen[0].value * (w - 6) * (h - HEAD - 3)) / target.value;
      const open = inner >= SMALLEST && Math.min(w, h) >= LEAST;
      out.push({ item: target, name, x, y, w, h, open });
      if (open) lay(target, x + 3, y + HEAD, w - 6, h - HEAD - 3, out);
    });
  };

  const dominant = (item) => item.kind ?? Object.entries(item.kinds).sort((one, other) => other[1] - one[1])[0][0];
  const state = (item) => (item.states & 4 ? "changed" : item.states & 2 ? "new" : "same");
  const fill = (item) => {
    if (view.colour === "kind") return dominant(item);
    if (view.colour === "state") return state(item);
    const less = item.bytes ? (item.bytes - item.sent) / item.bytes : 0;
    return `s${less < 0.05 ? 0 : less < 0.25 ? 1 : less < 0.5 ? 2 : less < 0.75 ? 3 : 4}`;
  };

  const draw = () => {
    const { clientWidth: width, clientHeight: height } = map;
    if (!width) return;
    if (!view.root.value) view.root = folders[0];
    const [root] = unfold(view.root);
    const out = [];
    if (root.value) lay(root, 0, 0, width, height, out);
    boxes = new Map();
    const percent = (part, whole) => `${(100 * part) / whole}%`;
    const drawn = out.map((box) => {
      const { item, name, x, y, w, h, open } = box;
      const button = make("button", { type: "button", tabIndex: -1 });
      button.className = `box ${open ? "folder" : `fill-${fill(item)}`}${!open && (item.folder || item.rest) ? " rest" : ""}`;
      button.setAttribute("aria-label", `${name} ${size(item.value)}, in ${item.up.path}`);
      button.style.cssText = `left:${percent(x, width)};top:${percent(y, height)};width:${percent(w, width)};height:${percent(h, height)}`;
      if (w > 34 && h > 17) {
        const label = make("span", {}, name);
        if (open ? w > 110 : h > 34) label.append(" ", make("small", {}, size(item.value)));
        button.append(label);
      }
      boxes.set(button, box);
      return button;
    });
    if (drawn.length) drawn[0].tabIndex = 0;
    map.replaceChildren(...drawn);
    if (!drawn.length) map.append(make("p", { className: "none" }, "Nothing to show."));
    crumbs(root);
  };

  const crumbs = (root) => {
    const way = [];
    for (let folder = root; folder; folder = folder.up) way.unshift(folder);
    $("crumbs").replaceChildren(
      ...way.map((folder) => {
        const button = make("button", { type: "button", disabled: folder === root }, folder.name || "all");
        button.addEventListener("click", () => zoom(folder));
        return button;
      }),
      make("small", {}, `${plural(root.count, "file")}, ${size(root.value)}`),
    );
  };

  const zoom = (folder, from, focus) => {
    hide();
    view.root = folder;
    draw();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (from && !still) {
      const { clientWidth: width, clientHeight: height } = map;
      const at = `translate(${from.x}px, ${from.y}px) scale(${from.w / width}, ${from.h / height})`;
      map.animate([{ transformOrigin: "0 0", transform: at, opacity: 0.4 }, { transformOrigin: "0 0", transform: "none" }], 220);
    }
    if (focus) map.querySelector(".box")?.focus();
  };

  const enter = (button, keyboard) => {
    const box = boxes.get(button);
    const [root] = unfold(view.root);
    let target = box.item.folder ? box.item : box.item.up;
    if (target !== root) {
      const around = [...boxes.values()].find((other) => other.item === target) ?? box;
      zoom(target, around, keyboard);
    } else if (box.item.rest) {
      $("filter").value = root.path;
      search();
      $("assets").scrollIntoView();
    }
  };
  const leave = (keyboard) => {
    let folder = unfold(view.root)[0].up;
    while (folder?.up && folder.seen.length === 1) folder = folder.up;
    if (folder) zoom(folder, null, keyboard);
  };

  // ------------------------------------------------------------------ facts, beside the pointer or the focus

  const facts = $("facts");
  let told = null;
  const hide = () => {
    facts.hidden = true;
    told?.removeAttribute("aria-describedby");
    told = null;
  };
  const tell = (button, x, y) => {
    const { item } = boxes.get(button);
    if (told !== button) {
      hide();
      told = button;
      button.setAttribute("aria-describedby", "facts");
      facts.replaceChildren(...describe(item));
      facts.hidden = false;
    }
    const { offsetWidth: w, offsetHeight: h } = facts;
    const left = x + 16 + w < innerWidth ? x + 16 : Math.max(8, x - w - 16);
    const top = y + 16 + h < innerHeight ? y + 16 : Math.max(8, y - h - 16);
    facts.style.transform = `translate(${Math.min(left, innerWidth - w - 8)}px, ${top}px)`;
  };
  const describe = (item) => {
    const lines = make("dl");
    const line = (name, value, note, is) =>
      lines.append(make("dt", { className: is }, name), make("dd", { className: is }, value), make("dd", {}, note));
    line("as it is", size(item.bytes), "", "");
    if (item.ways)
      data.ways.forEach((way, i) => {
        const after = item.ways[i];
        if (after) line(way, size(after), `${share((item.bytes - after) / item.bytes)} less`, after === item.sent ? "is" : "");
      });
    else line("sent", size(item.sent), item.bytes ? `${share((item.bytes - item.sent) / item.bytes)} less` : "", "is");
    const root = unfold(view.root)[0];
    const about = [];
    if (item.ways) {
      about.push(item.media + (item.hidden ? ", private" : ""));
      if (item.state) about.push(`${STATES[item.state]} since release ${data.since}`);
      if (item.reason) about.push(`rebuilt: ${data.reasons[item.reason - 1]}`);
    } else about.push(plural(item.count, "file"));
    about.push(`${share(item.value / root.value)} of what is shown`);
    return [make("b", {}, item.rest ? `${item.name} in ${item.path}` : item.path), lines, ...about.map((text) => make("p", {}, text))];
  };
  const beside = (button) => {
    const rect = button.getBoundingClientRect();
    const { open } = boxes.get(button);
    tell(button, rect.left + Math.min(rect.width / 2, 60), rect.top + (open ? HEAD : Math.min(rect.height / 2, 40)));
  };

  let pointer = "mouse";
  let touched = null;
  map.addEventListener("pointerdown", (event) => { pointer = event.pointerType; });
  map.addEventListener("pointermove", (event) => {
    const button = event.target.closest(".box");
    if (button && event.pointerType !== "touch") tell(button, event.clientX, event.clientY);
  });
  map.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") hide(); });
  map.addEventListener("focusin", (event) => {
    const button = event.target.closest(".box");
    if (!button) return;
    for (const other of map.querySelectorAll('.box[tabindex="0"]')) other.tabIndex = -1;
    button.tabIndex = 0;
    if (button.matches(":focus-visible")) beside(button);
  });
  map.addEventListener("focusout", hide);
  map.addEventListener("click", (event) => {
    const button = event.target.closest(".box");
    if (!button) return;
    const keyboard = event.detail === 0;
    // A finger cannot hover: its first tap tells, the second opens.
    if (pointer === "touch" && !keyboard && touched !== button) {
      touched = button;
      beside(button);
    } else enter(button, keyboard);
  });
  map.addEventListener("keydown", (event) => {
    const here = boxes.get(document.activeElement);
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Escape" || event.key === "Backspace") {
      event.preventDefault();
      leave(true);
    } else if (way && here) {
      event.preventDefault();
      next(here, way)?.focus();
    }
  });
  const heart = (box) => [box.x + box.w / 2, box.open ? box.y + HEAD / 2 : box.y + box.h / 2];
  const next = (here, [dx, dy]) => {
    const [hx, hy] = heart(here);
    let best = null;
    let least = Infinity;
    for (const [button, box] of boxes) {
      const [x, y] = heart(box);
      const ahead = (x - hx) * dx + (y - hy) * dy;
      const aside = Math.abs((x - hx) * dy) + Math.abs((y - hy) * dx);
      if (box !== here && ahead > 1 && ahead + 3 * aside < least) {
        least = ahead + 3 * aside;
        best = button;
      }
    }
    return best;
  };
  addEventListener("scroll", hide, { passive: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  const legend = () => {
    const entry = (name, swatch, value, ...before) =>
      [...before, make("i", { className: `fill-${swatch}` }), make("span", {}, name), ...(value ? [make("small", {}, value)] : [])];
    if (view.colour === "kind") {
      const sums = {};
      for (const file of files) sums[file.kind] = (sums[file.kind] ?? 0) + file[view.measure];
      const kinds = Object.keys(data.kinds).filter((kind) => kind in sums);
      $("legend").replaceChildren(...kinds.map((kind) => {
        const check = make("input", { type: "checkbox", checked: !view.off.has(kind) });
        check.addEventListener("change", () => {
          view.off[check.checked ? "delete" : "add"](kind);
          update();
        });
        return make("label", {}, ...entry(data.kinds[kind], kind, size(sums[kind]), check));
      }));
    } else {
      const swatches = view.colour === "state"
        ? [["added", "new"], ["changed", "changed"], ["as before", "same"]]
        : [["as it is", "s0"], ["less than 25 % saved", "s1"], ["25 to 50 %", "s2"], ["50 to 75 %", "s3"], ["more", "s4"]];
      $("legend").replaceChildren(...swatches.map(([name, swatch]) => make("span", {}, ...entry(name, swatch))));
    }
  };

  // ------------------------------------------------------------------ the list of all assets

  const list = $("largest");
  const keys = ["path", "media", "bytes", "sent", "less", "way"];
  const order = { key: "sent", up: false };
  const PAGE = 25;
  let most = PAGE;

  const row = (file, longest) => {
    const path = make("th", { scope: "row", className: "path" }, file.path);
    if (file.state) path.append(" ", make("small", { className: `state-${file.state}` }, STATES[file.state]));
    const bar = make("td", { className: "bytes bar" }, size(file.sent));
    bar.style.setProperty("--part", `${longest ? (100 * file.sent) / longest : 0}%`);
    return make("tr", {}, path, make("td", { className: "words" }, file.media), make("td", {}, size(file.bytes)), bar,
      make("td", {}, share(file.less)), make("td", { className: "words" }, file.way));
  };
  const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
  const enumerate = () => {
    if (!list || list.tagName !== "TABLE") return;
    const { key, up } = order;
    const sorted = [...shown].sort((one, other) => (up ? 1 : -1) * compare(one[key], other[key]) || compare(one.path, other.path));
    const longest = shown.reduce((longest, file) => Math.max(longest, file.sent), 0);
    list.tBodies[0].replaceChildren(...sorted.slice(0, most).map((file) => row(file, longest)));
    const left = sorted.length - most;
    $("more").replaceChildren();
    if (left > 0) {
      const next = left > 20 * PAGE ? `${20 * PAGE} of ${number(left)}` : number(left);
      const button = make("button", { type: "button" }, `Show ${next} more`);
      button.addEventListener("click", () => { most += 20 * PAGE; enumerate(); });
      $("more").append(button);
    }
  };

  // ------------------------------------------------------------------ tables that sort

  const heads = (table, sort) => {
    const cells = [...table.tHead.rows[0].cells];
    cells.forEach((cell, place) => {
      const button = make("button", { type: "button" }, ...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const was = cell.getAttribute("aria-sort");
        const words = cell.matches(".words, .path");
        for (const other of cells) other.removeAttribute("aria-sort");
        const up = was ? was === "descending" : words;
        cell.setAttribute("aria-sort", up ? "ascending" : "descending");
        sort(place, up, words);
      });
    });
  };
  const ROWS = 15; // as in page.css
  for (const table of document.querySelectorAll("table.sortable")) {
    if (table === list) continue;
    const cut = table.tBodies[0].rows.length - ROWS;
    if (cut > 0) {
      const button = make("button", { type: "button" }, `Show ${number(cut)} more`);
      const line = make("p", { className: "more" }, button);
      button.addEventListener("click", () => {
        table.classList.remove("short");
        line.remove();
      });
      table.classList.add("short");
      table.parentElement.after(line);
    }
    heads(table, (place, up, words) => {
      const value = (row) => (words ? row.cells[place].textContent.toLowerCase() : Number(row.cells[place].dataset.v));
      const rows = [...table.tBodies[0].rows].map((row) => [value(row), row]);
      rows.sort((one, other) => (up ? 1 : -1) * compare(one[0], other[0]));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  }
  if (list?.tagName === "TABLE") {
    heads(list, (place, up) => {
      Object.assign(order, { key: keys[place], up });
      enumerate();
    });
    list.tHead.rows[0].cells[keys.indexOf(order.key)].setAttribute("aria-sort", "descending");
    list.caption.querySelector("h3").textContent = "All assets";
  }

  // ------------------------------------------------------------------ filter, toggles, dividers

  const update = () => {
    choose();
    draw();
    enumerate();
    const bytes = shown.reduce((sum, file) => sum + file.bytes, 0);
    const sent = shown.reduce((sum, file) => sum + file.sent, 0);
    const all = shown.length === files.length;
    $("found").textContent = all ? "" : `${plural(shown.length, "file")} of ${number(files.length)}: ${size(bytes)}, ${size(sent)} sent`;
  };
  const search = () => {
    view.words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    most = PAGE;
    update();
  };
  $("filter").addEventListener("input", search);
  document.querySelector(".tools").addEventListener("submit", (event) => event.preventDefault());
  document.querySelector(".tools").addEventListener("change", (event) => {
    if (event.target.type !== "radio") return;
    view[event.target.name] = event.target.value;
    measure();
    draw();
    legend();
  });

  for (const pair of document.querySelectorAll(".pair")) {
    const compare = pair.querySelector(".compare");
    const path = pair.querySelector(".path").textContent;
    const divider = make("input", { type: "range", min: 0, max: 100, step: 0.5, value: 50 });
    divider.setAttribute("aria-label", `Divider between the original of ${path} and what is sent`);
    divider.addEventListener("input", () => compare.style.setProperty("--at", `${divider.value}%`));
    compare.append(divider, make("i"));
    const larger = make("button", { type: "button", className: "larger" }, "Larger");
    larger.setAttribute("aria-pressed", "false");
    larger.addEventListener("click", () => larger.setAttribute("aria-pressed", pair.classList.toggle("large")));
    pair.querySelector("figcaption").append(larger);
  }

  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries)
      if (entry.isIntersecting) {
        for (const link of links.values()) link.removeAttribute("aria-current");
        links.get(entry.target.id)?.setAttribute("aria-current", "true");
      }
  }, { rootMargin: "-20% 0px -70%" });
  for (const section of document.querySelectorAll("main section")) watcher.observe(section);

  document.documentElement.classList.add("js");
  for (const part of [document.querySelector(".tools"), $("crumbs"), map, $("legend")]) part.hidden = false;
  update();
  legend();
  new ResizeObserver(draw).observe(map);
})();
