import { Box, HStack, Stack, Text } from "@chakra-ui/react";

import { TimeText } from "src/components/TimeText";
import {
  formatBytes,
  formatCompact,
  formatRows,
  formatSeconds,
  formatShare,
  plural,
} from "src/utils/numbers";

import type { DefinitionDetail } from "../documents";
import { ScoreBar } from "../ScoreBar";
import { Facts } from "./Facts";
import { scorePart } from "./figures";

type Props = { definition: DefinitionDetail };

const Part = ({ name, value }: { name: string; value: number }) => {
  const { label, meaning } = scorePart(name);
  return (
    <Box as="li">
      <HStack fontSize="sm" gap={3}>
        <Text flexShrink={0} width="6.5rem">
          {label}
        </Text>
        <Box aria-hidden bg="bg.emphasized" borderRadius="full" flex={1} height="8px" overflow="hidden">
          <Box bg="brand.solid" height="100%" width={`${Math.max(0, Math.min(1, value)) * 100}%`} />
        </Box>
        <Text flexShrink={0} fontVariantNumeric="tabular-nums" textAlign="end" width="3.5rem">
          {formatShare(value)}
        </Text>
      </HStack>
      {meaning === "" ? null : (
        <Text color="fg.muted" fontSize="xs">
          {meaning}
        </Text>
      )}
    </Box>
  );
};

/** How good a definition was when it was judged last, and what the score is the product of. */
export const ScoreDetails = ({ definition: { score_detail: score } }: Props) => {
  if (score === null) {
    return (
      <Text color="fg.muted" fontSize="sm">
        Nobody has judged it yet. Maintenance judges all definitions of a model after each batch.
      </Text>
    );
  }
  return (
    <Stack gap={3}>
      <HStack fontSize="sm" gap={3}>
        <Box fontSize="lg" fontWeight="semibold">
          <ScoreBar value={score.value} width="8rem" />
        </Box>
        <Text color="fg.muted" fontSize="xs">
          of 100, judged <TimeText isRelative value={score.evaluated_at} />. It is the product of its parts,
          so that none makes up for a bad one.
        </Text>
      </HStack>
      <Stack as="ul" gap={2} listStyleType="none" m={0} p={0}>
        {score.parts.map((part) => (
          <Part key={part.name} {...part} />
        ))}
      </Stack>
    </Stack>
  );
};

const measured = (share: number): string =>
  share >= 1 ? "measured" : share <= 0 ? "estimated" : `measured for ${formatShare(share)} of the queries`;

/** What a definition saved, and what its builds took. */
export const Saving = ({ definition }: Props) => {
  const { score_detail: score, uses, last_used_at: lastUse, average_saving_seconds: average } = definition;
  const averageShare = definition.average_saving_measured_share;
  return (
    <Facts
      facts={[
        ["Queries answered", plural(uses, "query", "queries")],
        ["Last use", <TimeText isRelative key="last" otherwise="never" value={lastUse} />],
        [
          "Saved per query",
          average == null
            ? null
            : `${formatSeconds(average)}${averageShare == null ? "" : `, ${measured(averageShare)}`}`,
        ],
        [
          "Saved in all",
          score?.seconds_saved == null
            ? null
            : `${formatSeconds(score.seconds_saved)}, ${measured(score.measured_share)}`,
        ],
        ["Rows not read", score?.rows_saved == null ? null : formatRows(score.rows_saved)],
        [
          "Builds",
          score === null || score.builds === 0
            ? null
            : `${plural(score.builds, "build")}, ${formatSeconds(score.build_seconds)} in all`,
        ],
        [
          "Rows",
          score?.rows == null || score.fact_rows == null
            ? formatRows(definition.rows)
            : `${formatCompact(score.rows)} of ${formatCompact(score.fact_rows)} rows of its facts`,
        ],
        ["Size", score?.size_bytes == null ? null : formatBytes(score.size_bytes)],
      ]}
    />
  );
};
