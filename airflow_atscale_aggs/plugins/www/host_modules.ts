import { createRequire } from "node:module";

import type { Plugin } from "vite";

const require = createRequire(import.meta.url);

/** Modules that Airflow's UI hands to its plugins, and the global under which each stands. */
const HOST_GLOBALS: Record<string, string> = {
  react: "React",
  "react-dom": "ReactDOM",
  "react/jsx-runtime": "ReactJSXRuntime",
  "react-router-dom": "ReactRouterDOM",
  "@chakra-ui/react": "ChakraUI",
  "@emotion/react": "EmotionReact",
};

const PREFIX = "\0host:";

/**
 * Resolve React, the router and Chakra to what Airflow's UI put on `globalThis`, so that the page has one React, one
 * theme and one router with its host, and carries none of them.
 *
 * The names that a module exports are read from the installed package, which the lock file fixes.
 */
export function hostModules(): Plugin {
  return {
    name: "host-modules",
    enforce: "pre",
    resolveId(source) {
      return source in HOST_GLOBALS ? PREFIX + source : undefined;
    },
    load(id) {
      if (!id.startsWith(PREFIX)) {
        return undefined;
      }
      const source = id.slice(PREFIX.length);
      const names = Object.keys(require(source) as object)
        .filter((name) => name !== "default" && /^[A-Za-z_$][\w$]*$/.test(name))
        .sort();
      return [
        `const host = globalThis[${JSON.stringify(HOST_GLOBALS[source])}];`,
        "export default host;",
        ...names.map((name) => `export const ${name} = host.${name};`),
      ].join("\n");
    },
  };
}
