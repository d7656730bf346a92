import { Box, chakra, HStack } from "@chakra-ui/react";
import { useEffect, useRef } from "react";
import { Link, useSearchParams } from "react-router-dom";

import { PAGES } from "src/pages/pages";

import { MODEL_PARAMS } from "./models";

const TabLink = chakra(Link);

// Airflow mounts the page anew at each path, which loses the focus: whoever came by the keyboard gets it back.
let isFocusOwed = false;

type Props = { place: string };

/** The tabs of the page, as links: each has an address, and the browser's Back returns to the one before. */
export const PlaceTabs = ({ place }: Props) => {
  const [params] = useSearchParams();
  const current = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    // In a narrow window the tabs scroll sideways.
    current.current?.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (isFocusOwed) {
      isFocusOwed = false;
      current.current?.focus({ preventScroll: true });
    }
  }, [place]);
  const kept = new URLSearchParams(
    MODEL_PARAMS.flatMap((name) => {
      const value = params.get(name);
      return value === null ? [] : [[name, value]];
    }),
  ).toString();
  return (
    <Box as="nav" aria-label="Aggregates" borderBottomWidth={1} overflowX="auto" overflowY="hidden">
      <HStack gap={0} minW="max-content">
        {PAGES.map((page) => {
          const isCurrent = page.route === place;
          return (
            <TabLink
              _focusVisible={{ outline: "2px solid", outlineColor: "brand.focusRing", outlineOffset: "-2px" }}
              _hover={{ color: "fg" }}
              alignItems="center"
              aria-current={isCurrent ? "page" : undefined}
              borderBottomColor={isCurrent ? "border.info" : "transparent"}
              borderBottomWidth={3}
              color={isCurrent ? "fg" : "fg.muted"}
              display="inline-flex"
              fontSize="sm"
              fontWeight="bold"
              gap={2}
              height="40px"
              key={page.route}
              onClick={() => {
                isFocusOwed = true;
              }}
              px={{ base: 3, md: 4 }}
              ref={isCurrent ? current : undefined}
              to={{
                pathname: `/plugin/aggregates${page.route === "" ? "" : `/${page.route}`}`,
                search: kept,
              }}
              whiteSpace="nowrap"
            >
              <page.icon aria-hidden />
              {page.label}
            </TabLink>
          );
        })}
      </HStack>
    </Box>
  );
};
