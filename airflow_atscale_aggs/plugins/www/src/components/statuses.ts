/** The words and colours of statuses; each colour is a palette of the host's theme. */
import type { IconType } from "react-icons";
import {
  LuArchive,
  LuBan,
  LuCheck,
  LuCircleAlert,
  LuCircleCheck,
  LuCircleDashed,
  LuCircleSlash,
  LuClock,
  LuCopy,
  LuCornerDownRight,
  LuHourglass,
  LuLayers,
  LuLoaderCircle,
  LuTrash2,
  LuX,
} from "react-icons/lu";

export type StatusLook = { label: string; palette: string; icon: IconType; meaning: string };

/** Of definitions, instances, batches and queries, by the API's words. */
export const STATUSES: Record<string, StatusLook> = {
  active: { label: "Active", palette: "success", icon: LuCircleCheck, meaning: "It serves queries." },
  building: {
    label: "Building",
    palette: "running",
    icon: LuLoaderCircle,
    meaning: "Its table is being made.",
  },
  canceled: { label: "Canceled", palette: "skipped", icon: LuBan, meaning: "A person stopped its batch." },
  deleted: { label: "Deleted", palette: "removed", icon: LuTrash2, meaning: "Its table was dropped." },
  failed: { label: "Failed", palette: "failed", icon: LuX, meaning: "It could not be made." },
  inactive: { label: "Inactive", palette: "none", icon: LuArchive, meaning: "Another took its place." },
  pending: {
    label: "Pending",
    palette: "scheduled",
    icon: LuCircleDashed,
    meaning: "Defined, and not built yet.",
  },
  queued: { label: "Queued", palette: "queued", icon: LuClock, meaning: "It waits for its turn in a batch." },
  staged: { label: "Staged", palette: "deferred", icon: LuLayers, meaning: "Built; it waits for its batch." },
  unavailable: {
    label: "Unavailable",
    palette: "warning",
    icon: LuCircleSlash,
    meaning: "Blocked by a person, or its table is gone from the warehouse.",
  },

  requested: {
    label: "Requested",
    palette: "queued",
    icon: LuHourglass,
    meaning: "Its DAG run has not begun it yet.",
  },
  in_progress: { label: "Running", palette: "running", icon: LuLoaderCircle, meaning: "It is being built." },
  done: { label: "Done", palette: "success", icon: LuCheck, meaning: "All its aggregates serve queries." },
  cancelled: { label: "Canceled", palette: "skipped", icon: LuBan, meaning: "A person stopped it." },

  defined: { label: "Defined", palette: "info", icon: LuCheck, meaning: "Every full batch builds it." },
  blocked: { label: "Blocked", palette: "warning", icon: LuBan, meaning: "A person switched it off." },
  retired: { label: "Retired", palette: "none", icon: LuArchive, meaning: "Kept, and not built any more." },

  hit: { label: "Hit", palette: "success", icon: LuCircleCheck, meaning: "Answered from aggregates." },
  partial: {
    label: "Partly",
    palette: "info",
    icon: LuCircleDashed,
    meaning: "Some parts came from the facts.",
  },
  miss: { label: "Miss", palette: "warning", icon: LuCircleAlert, meaning: "Answered from the facts." },
  fallback: {
    label: "Fallback",
    palette: "failed",
    icon: LuCornerDownRight,
    meaning: "An aggregate could not be read, so the facts answered.",
  },

  imported: { label: "Imported", palette: "success", icon: LuCheck, meaning: "It is defined now." },
  added: { label: "Added", palette: "success", icon: LuCheck, meaning: "It is defined now." },
  returned: {
    label: "Returned",
    palette: "success",
    icon: LuCornerDownRight,
    meaning: "It had been retired here, and is defined again.",
  },
  duplicate: {
    label: "Duplicate",
    palette: "none",
    icon: LuCopy,
    meaning: "One of the same meaning is defined already; nothing was done.",
  },
  refused: { label: "Refused", palette: "failed", icon: LuX, meaning: "The model lacks what it names." },

  error: { label: "Error", palette: "failed", icon: LuX, meaning: "Something is broken." },
  warning: {
    label: "Warning",
    palette: "warning",
    icon: LuCircleAlert,
    meaning: "Something wants attention.",
  },
  info: { label: "Note", palette: "info", icon: LuCircleDashed, meaning: "Good to know." },
};

/** How a status looks; one that we do not know is shown by its own word. */
export const statusLook = (status: string): StatusLook =>
  STATUSES[status] ?? { label: status, palette: "none", icon: LuCircleDashed, meaning: "" };
