/** The colours of Airflow's UI (Apache License 2.0), so that the page looks here as it does there. */
import { createSystem, defaultConfig, defineConfig } from "@chakra-ui/react";

import palettes from "./palettes.json";

const semantic = (palette: string) => ({
  solid: { value: `{colors.${palette}.600}` },
  contrast: { value: { _light: "white", _dark: "white" } },
  fg: { value: { _light: `{colors.${palette}.800}`, _dark: `{colors.${palette}.200}` } },
  muted: { value: { _light: `{colors.${palette}.200}`, _dark: `{colors.${palette}.800}` } },
  subtle: { value: { _light: `{colors.${palette}.100}`, _dark: `{colors.${palette}.900}` } },
  emphasized: { value: { _light: `{colors.${palette}.300}`, _dark: `{colors.${palette}.700}` } },
  focusRing: { value: { _light: `{colors.${palette}.800}`, _dark: `{colors.${palette}.200}` } },
});

const STATES = {
  danger: "red",
  info: "blue",
  warning: "amber",
  error: "red",
  active: "blue",
  success: "green",
  failed: "red",
  queued: "stone",
  skipped: "pink",
  up_for_reschedule: "sky",
  up_for_retry: "yellow",
  upstream_failed: "amber",
  running: "cyan",
  restarting: "violet",
  deferred: "purple",
  scheduled: "zinc",
  none: "gray",
  removed: "slate",
};

export const system = createSystem(
  defaultConfig,
  defineConfig({
    theme: {
      tokens: { colors: palettes },
      recipes: { button: { base: { colorPalette: "brand" }, defaultVariants: { size: "sm" } } },
      semanticTokens: {
        colors: Object.fromEntries([
          ...Object.keys(palettes).map((palette) => [palette, semantic(palette)]),
          ...Object.entries(STATES).map(([state, palette]) => [state, semantic(palette)]),
        ]),
      },
    },
  }),
);
