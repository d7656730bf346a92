import { Badge } from "@chakra-ui/react";

import { statusLook } from "./statuses";

type Props = {
  /** A word of the API, such as `active`, `in_progress` or `miss`. */
  status: string;
  /** Instead of the status's own word. */
  label?: string;
};

const MOVING = new Set(["building", "in_progress"]);

/** A status: its word, its icon and its colour, so that no one of them alone has to tell it. */
export const StatusBadge = ({ status, label }: Props) => {
  const look = statusLook(status);
  const Icon = look.icon;
  return (
    <Badge
      borderRadius="full"
      colorPalette={look.palette}
      gap={1}
      px={2}
      title={look.meaning}
      variant="subtle"
      whiteSpace="nowrap"
      css={{
        "& svg[data-moving]": { animation: "spin 1.6s linear infinite" },
        "@media (prefers-reduced-motion: reduce)": { "& svg[data-moving]": { animation: "none" } },
      }}
    >
      <Icon aria-hidden data-moving={MOVING.has(status) || undefined} />
      {label ?? look.label}
    </Badge>
  );
};
