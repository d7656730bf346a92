import { Alert, Box, Button, HStack, Kbd, Spacer, Stack, Text } from "@chakra-ui/react";
import { LuRoute } from "react-icons/lu";

import { ErrorState } from "src/components/ErrorState";
import { Sentence } from "src/components/Sentence";
import { SqlEditor, type SqlEditorProps } from "src/components/sql/SqlEditor";

import { type Candidate, type Explanation, nearestCandidates, type PlanPart } from "./explanation";

type Props = {
  sql: string;
  onChange: (sql: string) => void;
  onExplain: () => void;
  /** Takes the marks from the lattice. */
  onClear: () => void;
  isExplaining: boolean;
  explanation: Explanation | undefined;
  error: unknown;
  names: SqlEditorProps["names"];
  /** Brings an aggregate into sight, by its name. */
  onShow: (aggregate: string, fact: string) => void;
};

const Nearest = ({ candidate, onShow }: { candidate: Candidate; onShow: () => void }) => (
  <Box as="li" fontSize="sm">
    <Button
      _hover={{ textDecoration: "underline" }}
      fontWeight="semibold"
      height="auto"
      minW={0}
      onClick={onShow}
      overflowWrap="anywhere"
      px={0}
      size="sm"
      textAlign="start"
      variant="plain"
      whiteSpace="normal"
    >
      {candidate.aggregate}
    </Button>
    <Text color="fg.muted" fontSize="xs">
      <Sentence text={candidate.explanation} />
    </Text>
    <Text fontSize="xs">
      Smallest change: <Sentence text={candidate.change} />
    </Text>
  </Box>
);

const Part = ({ part, onShow }: { part: PlanPart; onShow: Props["onShow"] }) => {
  const isHit = part.definition_id !== null;
  const nearest = isHit ? [] : nearestCandidates(part);
  return (
    <Alert.Root alignItems="flex-start" size="sm" status={isHit ? "success" : "warning"} variant="surface">
      <Alert.Indicator />
      <Alert.Content minW={0}>
        <Text fontSize="sm" overflowWrap="anywhere">
          <Sentence text={part.verdict} />
        </Text>
        {isHit ? (
          <Button
            alignSelf="flex-start"
            mt={1}
            onClick={() => {
              onShow(part.aggregate ?? "", part.fact);
            }}
            size="2xs"
            variant="outline"
          >
            Show it
          </Button>
        ) : null}
        {nearest.length === 0 ? null : (
          <Stack aria-label="Nearest aggregates" as="ul" gap={2} listStyleType="none" m={0} mt={2} p={0}>
            {nearest.map((candidate) => (
              <Nearest
                candidate={candidate}
                key={candidate.aggregate}
                onShow={() => {
                  onShow(candidate.aggregate, part.fact);
                }}
              />
            ))}
          </Stack>
        )}
      </Alert.Content>
    </Alert.Root>
  );
};

/** A query, and what would answer it. Nothing is run. */
export const AskPanel = (props: Props) => {
  const { sql, onChange, onExplain, onClear, isExplaining, explanation, error, names, onShow } = props;
  return (
    <Stack aria-label="What answers a query" as="section" gap={2}>
      <Text fontSize="sm" fontWeight="semibold">
        What answers a query?
      </Text>
      <Box css={{ "& .cm-editor": { minHeight: "6rem !important", maxHeight: "14rem !important" } }}>
        <SqlEditor label="Query to explain" names={names} onChange={onChange} onRun={onExplain} value={sql} />
      </Box>
      <HStack>
        <Button disabled={sql.trim() === ""} loading={isExplaining} onClick={onExplain} size="sm">
          <LuRoute aria-hidden /> Explain
        </Button>
        {explanation === undefined && error == null ? null : (
          <Button onClick={onClear} size="sm" variant="ghost">
            Clear
          </Button>
        )}
        <Spacer />
        <Text aria-hidden color="fg.muted" fontSize="xs">
          <Kbd size="sm">Ctrl</Kbd> <Kbd size="sm">Enter</Kbd>
        </Text>
      </HStack>
      <Stack aria-live="polite" gap={2}>
        {error == null ? null : <ErrorState error={error} />}
        {explanation === undefined ? (
          <Text color="fg.muted" fontSize="xs">
            The aggregate that answers is marked on the lattice, or those that are nearest to it. The query is
            not run.
          </Text>
        ) : (
          explanation.parts.map((part, at) => <Part key={`${part.fact} ${at}`} onShow={onShow} part={part} />)
        )}
        {explanation?.parts.length === 0 ? (
          <Text fontSize="sm">It asks no model: the warehouse answers it as it stands.</Text>
        ) : null}
      </Stack>
    </Stack>
  );
};
