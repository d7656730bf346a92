import { Box, HStack, Skeleton, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

type Props = {
  label: string;
  /** The figure, as text: see utils/numbers. */
  value: ReactNode;
  /** A line below: what it is compared with, or what it means. */
  help?: ReactNode;
  icon?: ReactNode;
  /** A palette of the theme that colours the figure: `success`, `failed`, `warning`. */
  palette?: string;
  isLoading?: boolean;
};

/** One figure with its name. */
export const StatTile = ({ label, value, help, icon, palette, isLoading = false }: Props) => (
  <Box as="dl" bg="bg.panel" borderRadius="md" borderWidth={1} minW={0} p={4}>
    <HStack as="dt" color="fg.muted" fontSize="sm" gap={2}>
      {icon}
      {label}
    </HStack>
    <Box as="dd" m={0}>
      {isLoading ? (
        <Skeleton height="2rem" mt={1} width="60%" />
      ) : (
        <Text
          color={palette === undefined ? "fg" : "colorPalette.fg"}
          colorPalette={palette}
          fontSize="2xl"
          fontVariantNumeric="tabular-nums"
          fontWeight="semibold"
          lineHeight="short"
          mt={1}
        >
          {value}
        </Text>
      )}
      {help === undefined ? null : (
        <Text color="fg.muted" fontSize="xs" mt={1}>
          {isLoading ? <Skeleton as="span" display="block" height="1em" my="0.25em" width="80%" /> : help}
        </Text>
      )}
    </Box>
  </Box>
);
