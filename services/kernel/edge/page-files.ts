/**
 * Reads the operator's page from disk, once.
 *
 * The idea: page, style and icon are served as written in `web/`, scripts as the compiler built
 * them; a missing file ends the start with its name. It refuses to follow a request to a path.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const types: { readonly [suffix: string]: string } = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

export interface PageFile {
  readonly type: string;
  readonly body: string;
}

function fileOf(folder: string, name: string): PageFile {
  const type = types[name.split(".").at(-1) ?? ""] ?? "text/plain";
  return { type, body: readFileSync(join(folder, name), "utf8") };
}

/** `source`: html, css, svg; `built`: the compiled scripts. */
export function readPage(folders: { readonly source: string; readonly built: string }) {
  const files = new Map<string, PageFile>();
  for (const name of readdirSync(folders.source)) {
    if (/\.(html|css|svg)$/.test(name)) files.set(`/${name}`, fileOf(folders.source, name));
  }
  for (const name of readdirSync(folders.built)) {
    if (name.endsWith(".js")) files.set(`/${name}`, fileOf(folders.built, name));
  }
  files.set("/", fileOf(folders.source, "index.html"));
  return files;
}
