/** The types of definitions, by the words of AtScale's page. */
import type { IconType } from "react-icons";
import { LuMessageCircleQuestion, LuPencil, LuTelescope } from "react-icons/lu";

type Origin = { label: string; icon: IconType; meaning: string };

/** Who asked for a definition, by the API's words. */
export const ORIGINS: Record<string, Origin> = {
  user_defined: {
    label: "Manual",
    icon: LuPencil,
    meaning: "The author of the model wrote it into the SML.",
  },
  demand_defined: {
    label: "Demand",
    icon: LuMessageCircleQuestion,
    meaning: "Queries that people asked led to it.",
  },
  prediction_defined: {
    label: "Prediction",
    icon: LuTelescope,
    meaning: "The structure of the model led to it, before anybody asked.",
  },
};

/** How a type is shown; one that we do not know by its own word. */
export const originLook = (origin: string): Origin =>
  ORIGINS[origin] ?? { label: origin, icon: LuPencil, meaning: "" };
