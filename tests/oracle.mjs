// The truth that our tokenizers are held against: for each file the references that acorn or css-tree sees in it, and
// whether its minified text has the same syntax tree. Arguments: the folder of packages, a JSON list of files.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [, , packages, list] = process.argv;
const load = (spec, file) => import(pathToFileURL(path.join(packages, spec, "node_modules", file)));
const acorn = await load("acorn@8.15.0", "acorn/dist/acorn.mjs");
const csstree = await load("css-tree@3.1.0", "css-tree/lib/index.js");

const ours = (url) => url !== "" && !/^(#|\?|\/\/|[a-zA-Z][a-zA-Z0-9+.-]*:)/.test(url);
const withoutMark = (text) => text.replace(/^\uFEFF/, "");

function parse(text) {
  for (const sourceType of ["module", "script"]) {
    try {
      return acorn.parse(text, { ecmaVersion: "latest", sourceType, allowHashBang: true });
    } catch {
      // the other kind, then
    }
  }
  return null;
}

function tree(node) {
  if (Array.isArray(node)) return node.map(tree);
  if (typeof node === "bigint" || node instanceof RegExp) return String(node);
  if (node === null || typeof node !== "object") return node;
  return Object.fromEntries(
    Object.entries(node).flatMap(([key, value]) => (key === "start" || key === "end" ? [] : [[key, tree(value)]])),
  );
}

function specifiers(node, found) {
  if (Array.isArray(node)) for (const child of node) specifiers(child, found);
  else if (node !== null && typeof node === "object") {
    if (/^(ImportDeclaration|ExportNamedDeclaration|ExportAllDeclaration)$/.test(node.type) && node.source) {
      found.push([node.source.start, node.source.value]);
    } else if (node.type === "ImportExpression" && typeof node.source.value === "string") {
      found.push([node.source.start, node.source.value]);
    } else if (node.type === "ImportExpression" && node.source.quasis?.length === 1) {
      found.push([node.source.start, node.source.quasis[0].value.cooked]);
    }
    for (const child of Object.values(node)) specifiers(child, found);
  }
  return found;
}

function script(source, minified) {
  const before = parse(source);
  if (before === null) return null;
  const refs = specifiers(before, [])
    .sort(([one], [other]) => one - other)
    .map(([, url]) => url)
    .filter((url) => /^(\.{0,2}\/)/.test(url) && ours(url));
  return { refs, same: JSON.stringify(tree(before)) === JSON.stringify(tree(parse(minified))) };
}

function sheet(source, minified) {
  const refs = [];
  let namespace = false;
  let expecting = false;
  csstree.tokenize(source, (type, start, end) => {
    const text = source.slice(start, end);
    const name = csstree.tokenNames[type];
    if (name === "comment-token" || name === "whitespace-token") return;
    let url = null;
    if (name === "url-token") url = csstree.url.decode(text);
    if (name === "string-token" && expecting) url = csstree.string.decode(text);
    if (url !== null && !namespace && ours(url.trim())) refs.push(url.trim());
    if (name === "semicolon-token") namespace = false;
    if (name === "at-keyword-token") namespace = /^@namespace$/i.test(text);
    expecting = (name === "at-keyword-token" && /^@import$/i.test(text)) || /^url\($/i.test(text);
  });
  const generate = (text) => csstree.generate(csstree.parse(text, { onParseError() {} }));
  return { refs, same: generate(source) === generate(minified) };
}

const told = JSON.parse(fs.readFileSync(list, "utf8")).map(({ file, minified }) => {
  const [one, other] = [file, minified].map((name) => withoutMark(fs.readFileSync(name, "utf8")));
  return file.endsWith(".css") ? sheet(one, other) : script(one, other);
});
process.stdout.write(JSON.stringify(told));
