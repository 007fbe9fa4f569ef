/**
 * Serves the operator's page: a handful of files, held in memory, under a strict policy.
 *
 * The idea: the files are read once before the start, so a request can name only what is in the
 * map. It refuses scripts, styles and connections from anywhere else.
 */
import { createHash } from "node:crypto";
import type { HttpServer } from "./http.js";

export interface PageFile {
  readonly type: string;
  readonly body: string;
}
/** Path (`/`, `/page.js`, …) → file. */
export type PageFiles = ReadonlyMap<string, PageFile>;

const policy = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
].join("; ");

export function pageRoutes(server: HttpServer, files: PageFiles): void {
  for (const [path, file] of files) {
    const tag = `"${createHash("sha256").update(file.body).digest("base64url").slice(0, 22)}"`;
    server.get(path, { config: { action: "read" }, schema: { hide: true } }, (request, reply) => {
      reply.headers({
        "content-type": file.type,
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
        etag: tag,
      });
      if (request.headers["if-none-match"] === tag) return reply.code(304).send();
      return reply.send(file.body);
    });
  }
}
