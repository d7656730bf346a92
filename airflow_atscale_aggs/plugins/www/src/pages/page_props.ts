import type { Model } from "src/frame/models";

/** What every page is given: the model that was chosen. */
export type PageProps = { model: Model };
