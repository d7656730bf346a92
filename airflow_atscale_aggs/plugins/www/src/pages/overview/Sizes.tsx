import { Box, Button, HStack, Link, Table, Text, VisuallyHidden } from "@chakra-ui/react";
import { useMemo } from "react";
import { LuLayoutGrid, LuTable } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import { EmptyState } from "src/components/EmptyState";
import { type Model, pageAddress } from "src/frame/models";
import { useAddressParam } from "src/hooks/useAddress";
import { useWidth } from "src/hooks/useWidth";
import { formatBytes, formatCount, formatRows, formatShare, plural } from "src/utils/numbers";

import type { SizeTile } from "./overview";
import { Section } from "./Section";
import { treemap, stepsOfUse, type UseStep } from "./treemap";

type Props = { model: Model; sizes: readonly SizeTile[]; rows: number };

const HEIGHT = 320;

const STEPS: Record<UseStep, { label: string; bg: string; fg: string }> = {
  0: { label: "never used", bg: "bg.muted", fg: "fg.muted" },
  1: { label: "seldom", bg: "brand.subtle", fg: "brand.fg" },
  2: { label: "sometimes", bg: "brand.muted", fg: "brand.fg" },
  3: { label: "often", bg: "brand.emphasized", fg: "brand.fg" },
  4: { label: "most", bg: "brand.solid", fg: "brand.contrast" },
};
const ALL_STEPS: readonly UseStep[] = [0, 1, 2, 3, 4];

// Stripes tell what nobody uses to those who do not see its colour.
const STRIPES = "repeating-linear-gradient(135deg, transparent 0 6px, var(--chakra-colors-border) 6px 7px)";

/** Size and use of an aggregate: `4.0 KB, answered 12 queries`. */
const figures = (tile: SizeTile): string =>
  `${tile.bytes === null ? "" : `${formatBytes(tile.bytes)}, `}${
    tile.uses === 0 ? "never used" : `answered ${plural(tile.uses, "query", "queries")}`
  }`;

const Map = ({ model, sizes }: Pick<Props, "model" | "sizes">) => {
  const [box, width] = useWidth();
  const steps = useMemo(() => {
    const found = stepsOfUse(sizes.map(({ uses }) => uses));
    return Object.fromEntries(sizes.map((tile, index) => [tile.definition_id, found[index] ?? 0]));
  }, [sizes]);
  const cells = useMemo(() => treemap(sizes, ({ rows }) => rows, width, HEIGHT), [sizes, width]);
  return (
    <>
      <HStack color="fg.muted" flexWrap="wrap" fontSize="xs" gap={3} mb={2}>
        <Text>Area: rows. Colour: queries answered,</Text>
        {ALL_STEPS.map((step) => (
          <HStack gap={1} key={step}>
            <Box
              bg={STEPS[step].bg}
              borderRadius="sm"
              borderWidth={1}
              boxSize={3}
              style={step === 0 ? { backgroundImage: STRIPES } : undefined}
            />
            {STEPS[step].label}
          </HStack>
        ))}
      </HStack>
      <Box as="ul" height={`${HEIGHT}px`} listStyleType="none" m={0} p={0} position="relative" ref={box}>
        {cells.map(({ item, x, y, width: wide, height }) => {
          const step = steps[item.definition_id] ?? 0;
          const hasName = wide > 70 && height > 22;
          const hasRows = hasName && height > 40;
          return (
            <Box
              as="li"
              key={item.definition_id}
              p="1px"
              position="absolute"
              style={{ left: x, top: y, width: wide, height }}
            >
              <Link
                _focusVisible={{
                  outline: "2px solid",
                  outlineColor: "brand.focusRing",
                  outlineOffset: "-2px",
                }}
                _hover={{ filter: "brightness(0.95)", textDecoration: "none" }}
                alignItems="flex-start"
                asChild
                bg={STEPS[step].bg}
                borderRadius="sm"
                color={STEPS[step].fg}
                display="flex"
                flexDirection="column"
                fontSize="xs"
                gap={0}
                height="100%"
                overflow="hidden"
                px={hasName ? 2 : 0}
                py={hasName ? 1 : 0}
                width="100%"
              >
                <RouterLink
                  style={step === 0 ? { backgroundImage: STRIPES } : undefined}
                  title={`${item.aggregate}: ${formatRows(item.rows)}, ${figures(item)}`}
                  to={pageAddress("definitions", model, { definition: item.definition_id })}
                >
                  {hasName ? (
                    <Text fontWeight="medium" maxW="100%" truncate>
                      {item.aggregate}
                    </Text>
                  ) : null}
                  {hasRows ? (
                    <Text maxW="100%" truncate>
                      {formatRows(item.rows)}
                    </Text>
                  ) : null}
                  <VisuallyHidden>
                    {[hasName ? "" : item.aggregate, hasRows ? "" : formatRows(item.rows), figures(item)]
                      .filter((part) => part !== "")
                      .join(", ")}
                  </VisuallyHidden>
                </RouterLink>
              </Link>
            </Box>
          );
        })}
      </Box>
    </>
  );
};

const Listing = ({ model, sizes, rows }: Props) => (
  <Table.ScrollArea maxH={`${HEIGHT + 28}px`}>
    <Table.Root size="sm" stickyHeader>
      <Table.Header>
        <Table.Row>
          <Table.ColumnHeader>Aggregate</Table.ColumnHeader>
          <Table.ColumnHeader textAlign="end">Rows</Table.ColumnHeader>
          <Table.ColumnHeader textAlign="end">Share</Table.ColumnHeader>
          <Table.ColumnHeader textAlign="end">Size</Table.ColumnHeader>
          <Table.ColumnHeader textAlign="end">Queries answered</Table.ColumnHeader>
        </Table.Row>
      </Table.Header>
      <Table.Body>
        {sizes.map((tile) => (
          <Table.Row fontVariantNumeric="tabular-nums" key={tile.definition_id}>
            <Table.Cell>
              <Link asChild variant="underline">
                <RouterLink to={pageAddress("definitions", model, { definition: tile.definition_id })}>
                  {tile.aggregate}
                </RouterLink>
              </Link>
            </Table.Cell>
            <Table.Cell textAlign="end">{formatCount(tile.rows)}</Table.Cell>
            <Table.Cell textAlign="end">{rows === 0 ? "–" : formatShare(tile.rows / rows)}</Table.Cell>
            <Table.Cell textAlign="end">{formatBytes(tile.bytes)}</Table.Cell>
            <Table.Cell textAlign="end">{formatCount(tile.uses)}</Table.Cell>
          </Table.Row>
        ))}
      </Table.Body>
    </Table.Root>
  </Table.ScrollArea>
);

/** Which aggregates take how much room, and whether anybody uses them; drawn, or as a table (`?sizes=table`). */
export const Sizes = ({ model, sizes, rows }: Props) => {
  const [look, setLook] = useAddressParam("sizes");
  const isTable = look === "table";
  return (
    <Section
      aside={
        sizes.length === 0 ? null : (
          <Button
            onClick={() => {
              setLook(isTable ? null : "table", { replace: true });
            }}
            size="xs"
            variant="outline"
          >
            {isTable ? <LuLayoutGrid aria-hidden /> : <LuTable aria-hidden />}
            {isTable ? "As areas" : "As a table"}
          </Button>
        )
      }
      title={sizes.length >= 50 ? "Rows by aggregate, the 50 largest" : "Rows by aggregate"}
    >
      {sizes.length === 0 ? (
        <EmptyState title="No aggregate serves yet">
          When a batch has ended well, you see here which aggregates are large, and whether anybody uses them.
        </EmptyState>
      ) : isTable ? (
        <Listing model={model} rows={rows} sizes={sizes} />
      ) : (
        <Map model={model} sizes={sizes} />
      )}
    </Section>
  );
};
