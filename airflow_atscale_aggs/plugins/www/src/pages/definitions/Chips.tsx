import { Badge, HStack } from "@chakra-ui/react";

type Props = { names: readonly string[]; most?: number };

/** Names in one line; those that have no room are counted, and told when one points at the number. */
export const Chips = ({ names, most = 2 }: Props) => {
  const rest = names.slice(most);
  return (
    <HStack gap={1} minW={0}>
      {names.slice(0, most).map((name) => (
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
          +{rest.length}
        </Badge>
      )}
    </HStack>
  );
};
