// The truth that our tokenizers are held against. Arguments: the folder of packages, and a JSON list of files, each with
// its minified text. For each: the references that acorn or css-tree sees (byte offset, URL), what es-module-lexer
// imports, and whether the minified text has the same syntax tree. With `--inputs`, and test files instead: the texts
// that those tests are about.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [, , packages, list, wanted] = process.argv;
const load = (spec, file) => import(pathToFileURL(path.join(packages, spec, "node_modules", file)));
const acorn = await load("acorn@8.19.0", "acorn/dist/acorn.mjs");
const csstree = await load("css-tree@3.2.1", "css-tree/lib/index.js");
const lexer = await load("es-module-lexer@3.0.5", "es-module-lexer/dist/lexer.js");
await lexer.init();

const seconds = { acorn: 0, "css-tree": 0, "es-module-lexer": 0 };
const timed = (who, work) => {
  const start = process.cpuUsage();
  try {
    return work();
  } finally {
    const used = process.cpuUsage(start);
    seconds[who] += (used.user + used.system) / 1e6;
  }
};

const trimmed = (url) => url.replace(/^[ \t\r\n\f]+|[ \t\r\n\f]+$/g, "");
const ours = (url) => url !== "" && !/^(#|\?|[/\\]{2}|[a-zA-Z][a-zA-Z0-9+.-]*:)/.test(url);
// "#x" is a name, too, and no fragment.
const specifier = (name) => name.startsWith("#") || ours(name);
const MAP = /^(?:\s*\/\/)?[@#][ \t]*sourceMappingURL=([^\s'"*]+)\s*$/;

// Early errors, such as an export of what is nowhere declared, are none of the syntax.
const Parser = acorn.Parser.extend((Base) => class extends Base {
  raiseRecoverable() {}
});

function parse(text) {
  for (const sourceType of ["module", "script"]) {
    const comments = [];
    try {
      const tree = Parser.parse(text, {
        ecmaVersion: "latest",
        sourceType,
        allowHashBang: true,
        allowReturnOutsideFunction: sourceType === "script",
        preserveParens: true,
        onComment: comments,
      });
      return { tree, comments };
    } catch {
      // the other kind, then
    }
  }
  return null;
}

// Trees of minified bundles are deeper than the stack.
function same(one, other) {
  const pairs = [[one, other]];
  while (pairs.length) {
    const [a, b] = pairs.pop();
    if (a === b || (typeof a === "bigint" && a === b)) continue;
    if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
    if (a instanceof RegExp) {
      if (String(a) !== String(b)) return false;
      continue;
    }
    const keys = Object.keys(a);
    if (keys.length !== Object.keys(b).length) return false;
    for (const key of keys) if (key !== "start" && key !== "end") pairs.push([a[key], b[key]]);
  }
  return true;
}

function* nodes(root) {
  const left = [root];
  while (left.length) {
    const node = left.pop();
    if (typeof node.type === "string") yield node;
    for (const child of Object.values(node)) {
      if (child !== null && typeof child === "object" && !(child instanceof RegExp)) left.push(child);
    }
  }
}

const isMeta = (node, name) =>
  node?.type === "MemberExpression" &&
  !node.computed &&
  node.object.type === "MetaProperty" &&
  node.object.meta.name === "import" &&
  node.property.name === name;
const isImportScripts = (node) =>
  (node.type === "Identifier" && node.name === "importScripts") ||
  (node.type === "MemberExpression" &&
    !node.computed &&
    node.object.type === "Identifier" &&
    node.object.name === "self" &&
    node.property.name === "importScripts");

// A string, or a template without holes.
function literal(node) {
  if (node?.type === "Literal" && typeof node.value === "string") return [node.start + 1, node.value];
  if (node?.type === "TemplateLiteral" && node.quasis.length === 1) return [node.start + 1, node.quasis[0].value.cooked];
  return null;
}

function named(node) {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
      return { imported: [literal(node.source)] };
    case "ImportExpression":
      return { imported: [literal(node.source)] };
    case "NewExpression":
      if (node.callee.type === "Identifier" && node.callee.name === "URL" && isMeta(node.arguments[1], "url")) {
        return { other: [literal(node.arguments[0])] };
      }
      break;
    case "CallExpression":
      if (isMeta(node.callee, "resolve")) return { other: [literal(node.arguments[0])] };
      if (isImportScripts(node.callee)) {
        const written = node.arguments.map(literal);
        const computed = written.indexOf(null);
        return { other: computed < 0 ? written : written.slice(0, computed) };
      }
  }
  return {};
}

const inOrder = (found) => found.filter(Boolean).sort(([one], [other]) => one - other);
// Without the blanks around them, which are no part of a URL.
const urls = (found, source, admitted = ours) =>
  inOrder(found)
    .map(([start, url]) => [start + /^[ \t\r\n\f]*/.exec(source.slice(start, start + 200))[0].length, trimmed(url)])
    .filter(([, url]) => admitted(url));

// What is imported by name; null where the lexer gives up.
function lexed(source) {
  try {
    const [imports] = timed("es-module-lexer", () => lexer.parse(source));
    return imports
      .filter(({ type, specifier, glob }) => type !== "import-meta" && specifier !== undefined && !(glob && specifier.includes("*")))
      .sort((one, other) => one.start - other.start)
      .map(({ specifier }) => specifier);
  } catch {
    return null;
  }
}

function map(comments) {
  const [last] = comments.flatMap(([start, text]) => {
    const found = MAP.exec(text);
    return found && ours(found[1]) ? [[start + found[0].lastIndexOf(found[1]), found[1]]] : [];
  }).slice(-1);
  return last ?? null;
}

function script(source, minified) {
  const names = lexed(source);
  const before = timed("acorn", () => parse(source));
  const imports = names?.map(trimmed).filter(specifier) ?? null;
  if (before === null) return { refs: null, imports };
  const imported = [];
  const other = [];
  for (const node of nodes(before.tree)) {
    const found = named(node);
    imported.push(...(found.imported ?? []));
    other.push(...(found.other ?? []));
  }
  return {
    refs: inOrder([...urls(imported, source, specifier), ...urls(other, source)]),
    map: map(before.comments.map(({ start, value }) => [start + 2, value])),
    imports,
    agreed: JSON.stringify(inOrder(imported).map(([, url]) => url)) === JSON.stringify(names),
    same: same(before.tree, parse(minified)?.tree ?? null) ? "tree" : "different",
  };
}

// Blanks that mean something: none beside a brace, semicolon or comma, nor after a colon.
function tokens(source) {
  const all = [];
  let blank = false;
  csstree.tokenize(source, (type, start, end) => {
    const name = csstree.tokenNames[type];
    if (name === "comment-token") return;
    if (name === "whitespace-token") {
      blank = true;
      return;
    }
    const text = source.slice(start, end);
    if (blank && !/^[{};,]$/.test(text) && !/^[{};,:]$/.test(all.at(-1) ?? "{")) all.push(" ");
    blank = false;
    all.push(text);
  });
  return all.join("\0");
}

const CLOSING = { "(": ")", "[": "]", "{": "}" };
const IMAGE_SET_END = ")image-set";

function sheet(source, minified) {
  const found = [];
  const comments = [];
  const open = [];
  const doubts = [];
  let rule = null; // the at-rule whose prelude this is
  let expecting = null; // what a string would be, if it came next
  timed("css-tree", () => csstree.parse(source, { parseCustomProperty: false, onParseError() {} }));
  csstree.tokenize(source, (type, start, end) => {
    const text = source.slice(start, end);
    const name = csstree.tokenNames[type];
    if (name === "comment-token") comments.push([start + 2, text.slice(2).replace(/\*\/$/, "")]);
    if (name === "comment-token" || name === "whitespace-token") return;
    const silent = /^(namespace|document|-moz-document)$/.test(rule ?? "");
    if (name === "url-token" && !silent) {
      found.push([start + /^url\([ \t\r\n\f]*/i.exec(text)[0].length, csstree.url.decode(text)]);
    }
    if (name === "string-token" && !silent && (expecting !== null || open.at(-1) === IMAGE_SET_END)) {
      found.push([start + 1, csstree.string.decode(text)]);
    }
    if (expecting === "url" && !/string-token$/.test(name)) doubts.push("an escaped url() without quotes");
    expecting = null;
    if (name === "function-token") {
      const called = csstree.ident.decode(text.slice(0, -1)).toLowerCase();
      open.push(/^(-webkit-)?image-set$/.test(called) ? IMAGE_SET_END : ")");
      if (called === "url" || called === "src") expecting = called;
    } else if (text in CLOSING) open.push(CLOSING[text]);
    else if (text === open.at(-1)?.[0]) open.pop();
    if (text === "{" || name === "semicolon-token") rule = null;
    if (name === "at-keyword-token") {
      rule = csstree.ident.decode(text.slice(1)).toLowerCase();
      if (rule === "import") expecting = "import";
    }
  });
  const generate = (text) => csstree.generate(csstree.parse(text, { parseCustomProperty: false, onParseError() {} }));
  let verdict = "different";
  if (generate(source) === generate(minified)) verdict = "tree";
  else if (tokens(source) === tokens(minified)) verdict = "tokens";
  return { refs: urls(found, source), map: map(comments), doubts, same: verdict };
}

// Offsets count bytes from here on; null where the file is not UTF-8.
function inBytes(told, bytes, text, mark) {
  const found = [...(told.refs ?? []), ...(told.map ? [told.map] : [])].sort(([one], [other]) => one - other);
  const exact = Buffer.byteLength(text) + mark === bytes.length && Buffer.from(text).equals(bytes.subarray(mark));
  let done = 0;
  let length = mark;
  for (const one of found) {
    length += Buffer.byteLength(text.slice(done, one[0]));
    done = one[0];
    one[0] = exact ? length : null;
  }
  return told;
}

function judge({ file, minified }) {
  const bytes = fs.readFileSync(file);
  const mark = bytes.subarray(0, 3).equals(Buffer.from("\uFEFF")) ? 3 : 0;
  const text = bytes.subarray(mark).toString("utf8");
  const other = fs.readFileSync(minified, "utf8").replace(/^\uFEFF/, "");
  return inBytes(file.endsWith(".css") ? sheet(text, other) : script(text, other), bytes, text, mark);
}

// The sources in a file of tests: what is named `source`, and what `parse()` is called with.
function inputs(file) {
  const { tree } = parse(fs.readFileSync(file, "utf8"));
  const found = [];
  for (const node of nodes(tree)) {
    if (node.type === "VariableDeclarator" && node.id.name === "source") found.push(literal(node.init));
    if (node.type === "CallExpression" && node.callee.name === "parse") found.push(literal(node.arguments[0]));
  }
  return inOrder(found).map(([, text]) => text);
}

const files = JSON.parse(fs.readFileSync(list, "utf8"));
const told = wanted === "--inputs" ? files.map(inputs) : { files: files.map(judge), seconds };
process.stdout.write(JSON.stringify(told));
