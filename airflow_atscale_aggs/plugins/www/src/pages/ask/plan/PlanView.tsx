import { Alert, HStack, Stack, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { Sentence } from "src/components/Sentence";
import { StatusBadge } from "src/components/StatusBadge";
import type { Model } from "src/frame/models";

import type { PlanPart } from "../documents";
import { Candidates } from "./Candidates";
import { PlanFlow } from "./PlanFlow";

type Props = {
  model: Model;
  parts: readonly PlanPart[];
  /** How names were understood, in sentences. */
  meant?: readonly string[];
  /** Why the statement, or a part of it, is passed to the warehouse as it stands. */
  untouched?: readonly string[];
  /** Rows of the answer; null: it was not run. */
  rows: number | null;
  isCut?: boolean;
  fallbackReason?: string;
  /** What stands at the end: a button that explains. */
  children?: ReactNode;
};

/** How a query is answered: where its rows come from, why from there, and why from nowhere else. */
export const PlanView = (props: Props) => {
  const { model, parts, meant = [], untouched = [], rows, isCut, fallbackReason = "", children } = props;
  return (
    <Stack gap={5}>
      {fallbackReason === "" ? null : (
        <Alert.Root alignItems="flex-start" status="error">
          <Alert.Indicator />
          <Alert.Content minW={0}>
            <Alert.Title>The facts answered instead</Alert.Title>
            <Alert.Description overflowWrap="anywhere">
              <Sentence text={fallbackReason} />
            </Alert.Description>
          </Alert.Content>
        </Alert.Root>
      )}
      {parts.length === 0 ? (
        <Text color="fg.muted" fontSize="sm">
          The query asks no model, so the warehouse answers it as it stands.
        </Text>
      ) : (
        <PlanFlow isCut={isCut} model={model} parts={parts} rows={rows} />
      )}
      {parts.map((part, number) => (
        <Stack gap={3} key={`${number} ${part.fact}`}>
          <HStack align="baseline" gap={2}>
            <StatusBadge status={part.aggregate === null ? "miss" : "hit"} />
            <Text fontSize="sm" overflowWrap="anywhere">
              <Sentence text={part.verdict} />
            </Text>
          </HStack>
          <Candidates candidates={part.candidates} isHit={part.aggregate !== null} />
        </Stack>
      ))}
      {meant.length + untouched.length === 0 ? null : (
        <Stack as="ul" color="fg.muted" fontSize="sm" gap={1} listStyleType="none">
          {meant.map((sentence) => (
            <li key={sentence}>
              <Sentence text={sentence} />
            </li>
          ))}
          {untouched.map((reason) => (
            <li key={reason}>
              The warehouse is given it as it stands: <Sentence text={reason} />
            </li>
          ))}
        </Stack>
      )}
      {children}
    </Stack>
  );
};
