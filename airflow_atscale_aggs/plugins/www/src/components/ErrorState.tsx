import { Alert, Button, List, Text } from "@chakra-ui/react";
import { LuRotateCw } from "react-icons/lu";

import { problemOf } from "src/api/problems";

import { Sentence } from "./Sentence";

type Props = {
  /** What a query or a mutation failed with. */
  error: unknown;
  /** Asks again; absent where asking again cannot help. */
  onRetry?: () => void;
  isRetrying?: boolean;
};

/** What went wrong, in the server's words, and a way to try again. */
export const ErrorState = ({ error, onRetry, isRetrying = false }: Props) => {
  const problem = problemOf(error);
  return (
    <Alert.Root alignItems="flex-start" role="alert" status="error">
      <Alert.Indicator />
      <Alert.Content minW={0}>
        <Alert.Title>{problem.title}</Alert.Title>
        <Alert.Description overflowWrap="anywhere">
          <Text as="div" whiteSpace="pre-line">
            <Sentence text={problem.detail} />
          </Text>
          {problem.errors.length > 0 ? (
            <List.Root mt={1} ps={4}>
              {problem.errors.map((fault) => (
                <List.Item key={`${fault.where} ${fault.why}`}>
                  {fault.where === "" ? null : <code>{fault.where}: </code>}
                  <Sentence text={fault.why} />
                </List.Item>
              ))}
            </List.Root>
          ) : null}
          {onRetry === undefined ? null : (
            <Button loading={isRetrying} mt={3} onClick={onRetry} size="xs" variant="outline">
              <LuRotateCw aria-hidden /> Try again
            </Button>
          )}
        </Alert.Description>
      </Alert.Content>
    </Alert.Root>
  );
};
