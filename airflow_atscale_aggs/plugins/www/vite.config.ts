import path from "node:path";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { apiReference } from "./api_reference.ts";
import { hostModules } from "./host_modules.ts";
import { thirdPartyNotices } from "./third_party_notices.ts";

const airflow = process.env.AIRFLOW_URL ?? "http://127.0.0.1:8080";

/**
 * `vite` serves the page in a host of its own (`dev/`), with Airflow's REST APIs behind it; `vite build` makes the
 * bundle that Airflow loads.
 */
export default defineConfig(({ command }) => ({
  base: "./",
  plugins: [
    react(),
    ...(command === "build" && !process.env.VITEST
      ? [hostModules(), apiReference(), thirdPartyNotices()]
      : []),
  ],
  resolve: { alias: { src: path.resolve(import.meta.dirname, "src") } },
  server: {
    proxy: Object.fromEntries(
      ["/atscale_aggs", "/api/v2", "/ui", "/auth"].map((prefix) => [prefix, { target: airflow }]),
    ),
  },
  build: {
    target: "es2022",
    modulePreload: false,
    // Chunks are told apart by their hash; comments and names of files on the builder's disk do not enter them.
    sourcemap: false,
    chunkSizeWarningLimit: 1600,
    rolldownOptions: {
      input: { main: path.resolve(import.meta.dirname, "src/main.tsx") },
      preserveEntrySignatures: "allow-extension",
      treeshake: { propertyReadSideEffects: false },
      output: {
        entryFileNames: "main.js",
        chunkFileNames: "chunks/[name]-[hash].js",
        assetFileNames: "chunks/[name]-[hash][extname]",
      },
    },
  },
  test: {
    environment: "jsdom",
    setupFiles: ["./src/test_setup.ts"],
    restoreMocks: true,
    testTimeout: 30_000,
  },
}));
