import { Box, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

type FactProps = {
  label: string;
  children: ReactNode;
  /** Whether it takes two places where there are several beside each other: for long names. */
  isWide?: boolean;
};

/** One fact about a thing, under its name. */
export const Fact = ({ label, children, isWide = false }: FactProps) => (
  <Box gridColumnEnd={isWide ? { md: "span 2" } : undefined} minW={0}>
    <Text as="dt" color="fg.muted" fontSize="xs">
      {label}
    </Text>
    <Box as="dd" fontSize="sm" fontVariantNumeric="tabular-nums" m={0} overflowWrap="anywhere">
      {children}
    </Box>
  </Box>
);

type Props = {
  children: ReactNode;
  /** The least width of one fact, in CSS. */
  least?: string;
};

/** Facts beside each other, as many as there is room for. */
export const Facts = ({ children, least = "9rem" }: Props) => (
  <Box
    as="dl"
    columnGap={6}
    display="grid"
    gridTemplateColumns={`repeat(auto-fill, minmax(min(${least}, 100%), 1fr))`}
    m={0}
    rowGap={3}
  >
    {children}
  </Box>
);
