import { type ComponentType, lazy } from "react";
import type { IconType } from "react-icons";
import {
  LuHistory,
  LuLayoutDashboard,
  LuListTree,
  LuMessageCircleQuestion,
  LuNetwork,
  LuSearch,
} from "react-icons/lu";

import type { PageProps } from "./page_props";

export type Page = {
  /** Its path below `/plugin/aggregates/`; empty for the first one. */
  route: string;
  label: string;
  icon: IconType;
  component: ComponentType<PageProps>;
};

/** The tabs, in the order in which they are shown. Each is loaded when it is opened first. */
export const PAGES: readonly Page[] = [
  {
    route: "",
    label: "Overview",
    icon: LuLayoutDashboard,
    component: lazy(() => import("./overview/OverviewPage")),
  },
  {
    route: "definitions",
    label: "Definitions",
    icon: LuListTree,
    component: lazy(() => import("./definitions/DefinitionsPage")),
  },
  {
    route: "lattice",
    label: "Lattice",
    icon: LuNetwork,
    component: lazy(() => import("./lattice/LatticePage")),
  },
  {
    route: "batches",
    label: "Batches",
    icon: LuHistory,
    component: lazy(() => import("./batches/BatchesPage")),
  },
  {
    route: "queries",
    label: "Queries",
    icon: LuSearch,
    component: lazy(() => import("./queries/QueriesPage")),
  },
  {
    route: "ask",
    label: "Ask",
    icon: LuMessageCircleQuestion,
    component: lazy(() => import("./ask/AskPage")),
  },
];
