// Live reload, in debug mode alone: swaps style sheets and images of a new release, loads the page again for anything
// else that it uses, and shows what is in the way of the next release. Nothing is evaluated and no markup is parsed, so
// that a page's content security policy may be as strict as it likes.
(() => {
  "use strict";
  const script = document.currentScript;
  if (window.assetpipe_live) return; // a page within the page brought a second one
  window.assetpipe_live = true;

  const inlined = JSON.parse(script.dataset.inlined || "[]");
  const code = script.dataset.code;
  const stream = new URL("live", script.src);
  let release = script.dataset.release;
  let source = null;
  let leaving = false;

  // Hidden pages do not listen: a browser has six connections to a server, and whoever comes back is told at once.
  function listen() {
    if (source || leaving || document.visibilityState === "hidden") return;
    stream.searchParams.set("since", release);
    source = new EventSource(stream);
    source.onmessage = (event) => take(JSON.parse(event.data));
    source.onerror = (event) => {
      // A browser asks again by itself, but not where it was answered with an error: as by code that does not compile.
      if (event.target !== source || source.readyState !== EventSource.CLOSED) return;
      rest();
      setTimeout(listen, 1000);
    };
  }
  function rest() {
    if (source) source.close();
    source = null;
  }
  document.addEventListener("visibilitychange", () => (document.visibilityState === "hidden" ? rest() : listen()));
  addEventListener("pagehide", rest);
  addEventListener("pageshow", listen);
  performance.setResourceTimingBufferSize(10000); // what the page uses is looked up there
  listen();

  function take(state) {
    if (leaving) return;
    show(state.problems, state.errors);
    if (state.code !== code) return reload("the application has changed");
    if (!state.release || state.release === release) return;
    if (!state.changes) return reload("this page is older than the releases that are kept");
    release = state.release;
    apply(state.changes, state.bases);
  }

  function reload(why) {
    if (leaving) return;
    if (script.dataset.method) {
      console.info(`assetpipe: ${why}. Load the page again to see it: it answers a form, so that is left to you.`);
      return;
    }
    leaving = true;
    rest();
    location.reload();
  }

  // What has changed

  const swapped = new Set(); // what the page had and has no more: the browser goes on listing it

  function apply(changes, bases) {
    const roots = bases.map((base) => new URL(`${base}/`, location.href).href.slice(0, -1));
    const find = (text) => {
      let url;
      try {
        url = new URL(text, document.baseURI);
      } catch {
        return null;
      }
      const plain = url.origin + url.pathname;
      for (const root of roots) {
        const change = plain.startsWith(`${root}/`) && changes[decoded(plain.slice(root.length))];
        if (change) return { plain, url: change[0] === null ? null : root + change[0] + url.hash, kind: change[1] };
      }
      return null;
    };

    if (inlined.some((path) => path in changes)) return reload("what it holds itself has changed");
    const steps = []; // none is taken where the page is loaded again anyway
    const done = new Set(swapped);
    let sheets = false;
    for (const link of document.querySelectorAll('link[rel~="stylesheet" i][href]')) {
      const change = find(link.href);
      if (!change) continue;
      if (!change.url) return reload("a style sheet is gone");
      done.add(change.plain);
      sheets = true;
      steps.push(() => restyle(link, change.url));
    }
    for (const [selector, attribute] of [
      ["img, input", "src"],
      ["img, source", "srcset"],
      ["image, a, link[rel~=icon i]", "href"],
      ["video", "poster"],
      ["[style]", "style"],
    ]) {
      for (const element of document.querySelectorAll(selector)) {
        const before = element.getAttribute(attribute);
        if (!before) continue;
        const after = before.replace(PARTS[attribute] || /^.*$/s, (part) => {
          const change = find(part);
          if (!change || !change.url) return part;
          done.add(change.plain);
          return change.url;
        });
        // By a property of its own: a policy may forbid the attribute.
        const set = attribute === "style" ? () => (element.style.cssText = after) : () => element.setAttribute(attribute, after);
        if (after !== before) steps.push(set);
      }
    }
    const used = [...document.querySelectorAll("script[src], iframe[src], video[src], audio[src], source[src], track[src], embed[src]")]
      .map((element) => [element.src, ""])
      .concat([...document.querySelectorAll("object[data]")].map((element) => [element.data, ""]))
      .concat(performance.getEntriesByType("resource").map((entry) => [entry.name, entry.initiatorType]));
    for (const [url, initiator] of used) {
      const change = find(url);
      if (!change || done.has(change.plain)) continue;
      // What a style sheet refers to comes with it: its own URL has changed for that.
      if (sheets && (initiator === "css" || change.kind === "css" || change.kind === "font")) continue;
      return reload(`${change.plain} has changed`);
    }
    done.forEach((url) => swapped.add(url));
    steps.forEach((step) => step());
  }

  const PARTS = { srcset: /[^\s,](?:\S*[^\s,])?/g, style: /(?<=url\((["']?))[^"')]+(?=\1\))/g };

  function decoded(path) {
    try {
      return decodeURIComponent(path);
    } catch {
      return path;
    }
  }

  // The new sheet beside the old one, until it is there: so the page is never without.
  function restyle(link, url) {
    const next = link.cloneNode();
    next.removeAttribute("integrity");
    next.href = url;
    next.addEventListener("load", () => link.remove(), { once: true });
    next.addEventListener("error", () => reload("the new style sheet did not load"), { once: true });
    link.after(next);
  }

  // What is wrong

  let overlay = null;
  let dismissed = "";

  function show(problems, errors) {
    const text = JSON.stringify(problems);
    if (overlay && overlay.text === text) return;
    const focused = overlay && overlay.host.shadowRoot.activeElement;
    hide();
    if (!problems.length || text === dismissed) return;
    dismissed = "";
    const host = document.createElement("assetpipe-problems");
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const close = make("button", { type: "button", title: "Close (Esc)", "aria-label": "Close" }, "×");
    close.addEventListener("click", dismiss);
    const more = errors - problems.length;
    const list = problems.map((problem) =>
      make(
        "li",
        { class: problem.severity },
        make(
          "p",
          { class: "place" },
          make("span", { class: "severity" }, problem.severity),
          make("code", {}, [problem.file, problem.line, problem.column].filter(Boolean).join(":")),
        ),
        make("p", { class: "text" }, problem.text),
        problem.hint ? make("p", { class: "hint" }, problem.hint) : "",
      ),
    );
    if (more > 0) list.push(make("li", { class: "more" }, `and ${more} more: the watch has printed them all.`));
    const title = make("h1", { id: "title" }, errors === 1 ? "One error is in the way" : `${errors} errors are in the way`);
    const panel = make(
      "section",
      { role: "alertdialog", "aria-labelledby": "title", "aria-describedby": "state", tabindex: "-1" },
      make("header", {}, make("div", {}, title, make("p", { id: "state" }, "Below is the last release that could be published.")), close),
      make("ol", { tabindex: "0" }, ...list),
      make("footer", {}, make("kbd", {}, "Esc"), " closes this. Once all is mended, it goes by itself."),
    );
    root.append(panel);
    host.addEventListener("click", (event) => event.composedPath()[0] === host && dismiss());
    document.documentElement.append(host);
    // Above the page's own dialogs, which are above everything else.
    if (host.showPopover) {
      host.popover = "manual";
      host.showPopover();
    }
    overlay = { host, text };
    addEventListener("keydown", escape, true);
    if (focused) close.focus();
  }

  function hide() {
    if (!overlay) return;
    overlay.host.remove();
    overlay = null;
    removeEventListener("keydown", escape, true);
  }

  function dismiss() {
    dismissed = overlay ? overlay.text : "";
    hide();
  }

  function escape(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    dismiss();
  }

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  const STYLE = `
    :host {
      all: initial !important;
      position: fixed !important;
      inset: 0 !important;
      z-index: 2147483647 !important;
      display: grid !important;
      place-items: start center !important;
      width: auto !important;
      height: auto !important;
      padding: min(10vh, 6rem) 1rem 1rem !important;
      box-sizing: border-box !important;
      overflow: hidden !important;
      color-scheme: light dark !important;
      background: rgb(20 22 30 / 0.45) !important;
      font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif !important;
      --paper: #fff; --ink: #1c1f26; --quiet: #5d6472; --line: #e4e6eb; --wash: #f6f7f9;
      --error: #c62a2f; --on-error: #fff; --warning: #8a5a00; --focus: #2f6fed;
    }
    @media (prefers-color-scheme: dark) {
      :host {
        background: rgb(0 0 0 / 0.6) !important;
        --paper: #1b1e25; --ink: #eceef2; --quiet: #a0a7b5; --line: #31363f; --wash: #23272f;
        --error: #ff8a85; --on-error: #2b0a09; --warning: #f0c067; --focus: #8ab4ff;
      }
    }
    * { box-sizing: border-box; margin: 0; padding: 0; }
    section {
      display: flex;
      flex-direction: column;
      width: min(46rem, 100%);
      max-height: 100%;
      overflow: hidden;
      color: var(--ink);
      background: var(--paper);
      border-radius: 12px;
      border-top: 4px solid var(--error);
      box-shadow: 0 1px 2px rgb(0 0 0 / 0.2), 0 24px 64px rgb(0 0 0 / 0.35);
    }
    header { display: flex; align-items: start; justify-content: space-between; gap: 1rem; padding: 1.1rem 1.4rem 1rem; }
    h1 { font-size: 1.2rem; font-weight: 650; line-height: 1.3; letter-spacing: -0.01em; }
    header p { margin-top: 0.15rem; color: var(--quiet); font-size: 0.9rem; }
    button {
      flex: none;
      width: 2rem;
      height: 2rem;
      margin: -0.25rem -0.5rem 0 0;
      border: 0;
      border-radius: 8px;
      color: var(--quiet);
      background: none;
      font: 1.4rem/1 system-ui, sans-serif;
      cursor: pointer;
    }
    button:hover { color: var(--ink); background: var(--wash); }
    :is(button, ol):focus-visible { outline: 2px solid var(--focus); outline-offset: -2px; }
    ol { flex: 1 1 auto; min-height: 0; overflow: auto; list-style: none; border-block: 1px solid var(--line); }
    li { padding: 0.9rem 1.4rem 1rem; overflow-wrap: anywhere; }
    li + li { border-top: 1px solid var(--line); }
    .place { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.2rem 0.6rem; }
    .severity {
      padding: 0 0.5em;
      border-radius: 999px;
      color: var(--on-error);
      background: var(--error);
      font-size: 0.75rem;
      font-weight: 600;
      line-height: 1.6;
    }
    code, kbd { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.88rem; }
    code { font-weight: 600; user-select: all; white-space: pre-wrap; }
    .text { margin-top: 0.4rem; white-space: pre-wrap; }
    .hint { margin-top: 0.3rem; color: var(--quiet); font-size: 0.92rem; white-space: pre-wrap; }
    .more { color: var(--quiet); }
    footer { padding: 0.7rem 1.4rem; color: var(--quiet); background: var(--wash); font-size: 0.85rem; }
    kbd { padding: 0.05rem 0.4rem; border: 1px solid var(--line); border-radius: 5px; background: var(--paper); font-size: 0.78rem; }
  `;
})();
