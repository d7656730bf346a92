import { Box, HStack, Link, Stack, Text } from "@chakra-ui/react";
import { LuCircleAlert, LuCircleCheck, LuInfo, LuOctagonAlert } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import { Sentence } from "src/components/Sentence";
import { type Model, pageAddress } from "src/frame/models";

import { type Attention, bySeverity } from "./overview";
import { Section } from "./Section";

type Props = { model: Model; items: readonly Attention[] };

const LOOKS: Record<string, { label: string; palette: string; icon: typeof LuInfo }> = {
  error: { label: "Error", palette: "failed", icon: LuOctagonAlert },
  warning: { label: "Warning", palette: "warning", icon: LuCircleAlert },
  info: { label: "Note", palette: "info", icon: LuInfo },
};

// The definitions of these kinds are also a filter of the Definitions tab. Those that failed stand in their batch:
// what served before serves on, so that the status of the definition does not tell of it.
const filterOf = ({ kind, hours }: Attention): Record<string, string> | undefined => {
  switch (kind) {
    case "stale":
      return { status: "active", built: `not-${hours ?? 36}h` };
    case "never_used":
      return { status: "active", used: "never", sort: "created_at" };
    case "not_built":
      return { status: "pending" };
    default:
      return undefined;
  }
};

type Place = { label: string; address: string };

/** Where one can look into something: its batch, its definition, or the list of its definitions. */
export const placesOf = (model: Model, item: Attention): Place[] => {
  const places: Place[] = [];
  if (item.batch_id != null) {
    places.push({
      label: "Open the batch",
      address: pageAddress("batches", model, { batch: item.batch_id }),
    });
  }
  const [first] = item.definition_ids;
  if (first !== undefined) {
    const filter = filterOf(item);
    if (item.count === 1 && item.definition_ids.length === 1) {
      places.push({
        label: "Open the definition",
        address: pageAddress("definitions", model, { definition: first }),
      });
    } else if (filter !== undefined) {
      places.push({ label: "Show the definitions", address: pageAddress("definitions", model, filter) });
    }
  }
  return places;
};

/** What wants attention, the worst first. */
export const AttentionList = ({ model, items }: Props) => (
  <Section title="What wants attention">
    {items.length === 0 ? (
      <HStack color="success.fg" fontSize="sm" gap={2}>
        <LuCircleCheck aria-hidden />
        <Text>Nothing wants attention now.</Text>
      </HStack>
    ) : (
      <Stack as="ul" gap={3} listStyleType="none" m={0} maxH="22rem" overflowY="auto" p={0}>
        {[...items].sort(bySeverity).map((item, index) => {
          const look = LOOKS[item.severity] ?? { label: item.severity, palette: "info", icon: LuInfo };
          const Icon = look.icon;
          return (
            <HStack alignItems="flex-start" as="li" fontSize="sm" gap={3} key={`${item.kind} ${index}`}>
              <Box color="colorPalette.fg" colorPalette={look.palette} fontSize="lg" mt="1px">
                <Icon aria-label={look.label} role="img" title={look.label} />
              </Box>
              <Box minW={0} overflowWrap="anywhere">
                <Sentence text={item.text} />
                <HStack flexWrap="wrap" gap={3} mt={1}>
                  {placesOf(model, item).map((place) => (
                    <Link asChild key={place.address} variant="underline">
                      <RouterLink to={place.address}>{place.label}</RouterLink>
                    </Link>
                  ))}
                </HStack>
              </Box>
            </HStack>
          );
        })}
      </Stack>
    )}
  </Section>
);
