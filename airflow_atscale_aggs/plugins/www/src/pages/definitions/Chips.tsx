import { formatCount } from "src/utils/numbers";
import { Badge, HStack } from "@chakra-ui/react";

type Props = {
  names: readonly string[];
  most?: number;
  /** How many letters have room, about; one name is shown whatever its length. */
  room?: number;
};

/** How many names have room. */
export const fitting = (names: readonly string[], most: number, room: number): number => {
  let letters = 0;
  const first = names.findIndex((name) => (letters += name.length + 3) > room);
  return Math.min(most, first < 0 ? names.length : Math.max(1, first));
};

/** Names in one line; those that have no room are counted, and told when one points at the number. */
export const Chips = ({ names, most = 2, room = 24 }: Props) => {
  const shown = fitting(names, most, room);
  const rest = names.slice(shown);
  return (
    <HStack gap={1} minW={0}>
      {names.slice(0, shown).map((name) => (
        <Badge
          borderRadius="sm"
          display="block"
          fontWeight="normal"
          key={name}
          minW={0}
          overflow="hidden"
          textOverflow="ellipsis"
          title={name}
          variant="surface"
        >
          {name}
        </Badge>
      ))}
      {rest.length === 0 ? null : (
        <Badge
          aria-label={`and ${rest.join(", ")}`}
          flexShrink={0}
          fontWeight="normal"
          role="note"
          title={rest.join(", ")}
          variant="plain"
        >
          +{formatCount(rest.length)}
        </Badge>
      )}
    </HStack>
  );
};
