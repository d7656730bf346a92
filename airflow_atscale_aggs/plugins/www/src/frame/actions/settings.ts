/** Settings as they are shown, searched, typed and changed. */
import type { components } from "src/api/schema";
import { formatExact } from "src/utils/numbers";

export type Setting = components["schemas"]["SettingValue"];
export type SettingValue = Setting["value"];

/** Where a value comes from, in words; the API's word where we know none. */
export const SOURCES: Record<string, { label: string; palette: string; meaning: string }> = {
  default: { label: "Default", palette: "none", meaning: "Nobody set it." },
  airflow: {
    label: "Airflow",
    palette: "info",
    meaning: "From Airflow's configuration or environment, section atscale_aggs.",
  },
  "all models": {
    label: "All models",
    palette: "info",
    meaning: "Set by hand for all models of this registry.",
  },
  sml: { label: "SML", palette: "info", meaning: "From a file beside the model's SML; deploying sets it." },
  model: { label: "This model", palette: "brand", meaning: "Set by hand for this model; it wins." },
};

/** A value as people read it. */
export const sayValue = (value: SettingValue): string => {
  if (typeof value === "boolean") {
    return value ? "on" : "off";
  }
  return typeof value === "number" ? formatExact(value) : value === "" ? "empty" : value;
};

/** What stands in a field for a value; booleans have a switch instead. */
export const fieldText = (value: SettingValue): string => String(value);

/** What a field's text means for a setting of the kind of its default; undefined: nothing. */
export const parseValue = (text: string, kind: SettingValue): SettingValue | undefined => {
  const plain = text.trim();
  if (typeof kind === "boolean") {
    return plain === "true" ? true : plain === "false" ? false : undefined;
  }
  if (typeof kind === "number") {
    const value = Number(plain.replaceAll(",", ""));
    return plain === "" || !Number.isFinite(value) ? undefined : value;
  }
  return plain === "" ? undefined : plain;
};

/** Whether a setting was set by hand, so that one may forget it; `for all models` or for this one. */
export const isForgettable = (setting: Setting): boolean =>
  setting.source === "model" || setting.source === "all models";

/** What is shown of all settings. */
export type SettingFilter = { search: string; isChangedOnly: boolean };

/** The settings that do something, and those that are accepted and do nothing, each as the filter leaves them. */
export const sortSettings = (
  settings: readonly Setting[],
  { search, isChangedOnly }: SettingFilter,
): { inForce: Setting[]; idle: Setting[] } => {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const found = settings.filter((setting) => {
    const text = `${setting.key} ${setting.meaning} ${setting.without_effect}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return {
    inForce: found.filter(
      (setting) => setting.without_effect === "" && (!isChangedOnly || setting.source !== "default"),
    ),
    idle: isChangedOnly ? [] : found.filter((setting) => setting.without_effect !== ""),
  };
};
