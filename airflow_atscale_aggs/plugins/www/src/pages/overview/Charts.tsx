import { Box, Code, HStack, Link, Skeleton, Text } from "@chakra-ui/react";
import { lazy, type ReactNode, Suspense } from "react";
import { LuMessageCircleQuestion } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import { EmptyState } from "src/components/EmptyState";
import { type Model, pageAddress } from "src/frame/models";
import { formatCount, formatSeconds, plural } from "src/utils/numbers";

import { OUTCOME_TOKENS } from "./charts/tokens";
import { type DayFigures, totalsOf } from "./overview";
import { Section } from "./Section";

const QueriesChart = lazy(() => import("./charts/QueriesChart"));
const SavingsChart = lazy(() => import("./charts/SavingsChart"));

const HEIGHT = "15rem";

const Canvas = ({ children }: { children: ReactNode }) => (
  <Box flex={1} minH={HEIGHT} minW={0} position="relative">
    {/* The canvas takes the size of what is around it, and must not make it larger. */}
    <Box inset={0} position="absolute">
      <Suspense fallback={<Skeleton height="100%" />}>{children}</Suspense>
    </Box>
  </Box>
);

type Props = { model: Model; days: readonly DayFigures[] };

/** Hits, misses and fallbacks by day; without any query, how to ask one. */
export const QueriesByDay = ({ model, days }: Props) => {
  const totals = totalsOf(days);
  return (
    <Section
      aside={
        totals.queries === 0 ? null : (
          <HStack color="fg.muted" flexWrap="wrap" fontSize="xs" gap={3}>
            {OUTCOME_TOKENS.map(({ name, key, token, meaning }) => (
              <HStack gap={1} key={key} title={meaning}>
                <Box bg={token} borderRadius="sm" boxSize={3} />
                {name} {formatCount(totals[key])}
              </HStack>
            ))}
          </HStack>
        )
      }
      title="Queries by day"
    >
      {totals.queries === 0 ? (
        <NoQueries days={days.length} model={model} />
      ) : (
        <Canvas>
          <QueriesChart
            days={days}
            label={`Queries by day: ${plural(totals.hits, "hit")}, ${plural(totals.misses, "miss", "misses")} and ${plural(totals.fallbacks, "fallback")} in ${plural(days.length, "day")}.`}
          />
        </Canvas>
      )}
    </Section>
  );
};

const NoQueries = ({ model, days }: { model: Model; days: number }) => (
  <EmptyState icon={<LuMessageCircleQuestion aria-hidden />} title={`No query in ${plural(days, "day")}`}>
    <Text mb={2}>
      Queries that are asked of the model <Code>{model.name}</Code> are counted here, with what answered them.{" "}
      <Link asChild variant="underline">
        <RouterLink to={pageAddress("ask", model)}>Ask one on this page</RouterLink>
      </Link>
      , by the operator <Code>AggregateAwareSQLOperator</Code>, or on the command line:
    </Text>
    <Code whiteSpace="pre-wrap">{`atscale-aggs query 'SELECT … FROM ${model.catalog}.${model.name}'`}</Code>
  </EmptyState>
);

/** Time that was saved, by day. */
export const SavingsByDay = ({ days }: Pick<Props, "days">) => {
  const totals = totalsOf(days);
  const best = days.reduce<DayFigures | undefined>(
    (most, day) => (most === undefined || day.seconds_saved > most.seconds_saved ? day : most),
    undefined,
  );
  return (
    <Section title="Time saved by day">
      {totals.secondsSaved <= 0 || best === undefined ? (
        <EmptyState title="No time saved yet">
          Each query that an aggregate answers is compared with what the facts would have taken.
        </EmptyState>
      ) : (
        <Canvas>
          <SavingsChart
            days={days}
            label={`Time saved by day: ${formatSeconds(totals.secondsSaved)} in ${plural(days.length, "day")}, most of it on ${best.day}: ${formatSeconds(best.seconds_saved)}.`}
          />
        </Canvas>
      )}
    </Section>
  );
};
