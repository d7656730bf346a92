import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import type { Plugin } from "vite";

const FOLDER = path.dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
const FILES = ["swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui.css"];

/**
 * Put Swagger UI beside the bundle, as its authors built it, so that the API's reference (`/atscale_aggs/docs`) loads
 * nothing from elsewhere. `public/reference/start.js` starts it.
 */
export function apiReference(): Plugin {
  return {
    name: "api-reference",
    buildStart() {
      for (const name of FILES) {
        const originalFileName = path.join(FOLDER, name);
        const text = readFileSync(originalFileName, "utf8");
        this.emitFile({
          type: "asset",
          fileName: `reference/${name}`,
          originalFileName,
          // The maps are not served.
          source: text.replace(/\n?(\/\/|\/\*)# sourceMappingURL=.*\s*$/, "\n"),
        });
      }
    },
  };
}
