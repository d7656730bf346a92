import { Box, Grid, HStack, SegmentGroup, Skeleton, Stack, Text } from "@chakra-ui/react";

import { $api } from "src/api/client";
import { ErrorState } from "src/components/ErrorState";
import { useAddressParam } from "src/hooks/useAddress";

import type { PageProps } from "../page_props";
import { AttentionList } from "./AttentionList";
import { QueriesByDay, SavingsByDay } from "./Charts";
import { LastBatch } from "./LastBatch";
import { DAYS, daysOf } from "./overview";
import { Sizes } from "./Sizes";
import { Tiles } from "./Tiles";

const REFRESH_MS = 30_000;
const TWO_COLUMNS = { base: "minmax(0, 1fr)", xl: "minmax(0, 3fr) minmax(0, 2fr)" };

/** The Overview tab: what the aggregates of a model do, what they take, and what wants attention. */
export default function OverviewPage({ model }: PageProps) {
  const [word, setWord] = useAddressParam("days");
  const days = daysOf(word);
  const { data, error, isFetching, refetch } = $api.useQuery(
    "get",
    "/api/connections/{connection}/models/{model}/overview",
    { params: { path: { connection: model.connection, model: model.id }, query: { days } } },
    // What was read for other days stays until the new ones are there.
    { refetchInterval: REFRESH_MS, placeholderData: (before: unknown) => before as never },
  );
  if (data === undefined && error !== null) {
    return <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />;
  }
  const hasQueries = data?.days.some(({ queries }) => queries > 0) === true;
  return (
    <Stack gap={4}>
      <HStack flexWrap="wrap" gap={3} justifyContent="flex-end">
        <Text color="fg.muted" fontSize="sm" id="overview-days">
          Queries of the last
        </Text>
        <SegmentGroup.Root
          aria-labelledby="overview-days"
          onValueChange={({ value }) => {
            setWord(value === "30" ? null : value, { replace: true });
          }}
          size="sm"
          value={String(days)}
        >
          <SegmentGroup.Indicator />
          <SegmentGroup.Items items={DAYS.map((each) => ({ value: String(each), label: `${each} days` }))} />
        </SegmentGroup.Root>
      </HStack>
      {error === null ? null : (
        <ErrorState error={error} isRetrying={isFetching} onRetry={() => void refetch()} />
      )}
      <Tiles days={days} overview={data} />
      {data === undefined ? (
        <Loading />
      ) : (
        <>
          <Grid gap={4} templateColumns={TWO_COLUMNS}>
            <QueriesByDay days={data.days} model={model} />
            <AttentionList items={data.attention} model={model} />
            {hasQueries ? <SavingsByDay days={data.days} /> : null}
            <Box gridColumn={hasQueries ? undefined : "1 / -1"} minW={0}>
              <LastBatch batch={data.last_batch} model={model} />
            </Box>
          </Grid>
          <Sizes model={model} rows={data.rows} sizes={data.sizes} />
        </>
      )}
    </Stack>
  );
}

/** What comes, at about its size. */
const Loading = () => (
  <Box aria-busy aria-label="Reading the overview" role="status">
    <Grid aria-hidden gap={4} templateColumns={TWO_COLUMNS}>
      {Array.from({ length: 4 }, (_, index) => (
        <Skeleton height="20rem" key={index} />
      ))}
    </Grid>
  </Box>
);
