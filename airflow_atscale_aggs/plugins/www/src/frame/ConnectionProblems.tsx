import { Alert, Stack } from "@chakra-ui/react";

import type { components } from "src/api/schema";
import { Sentence } from "src/components/Sentence";

type Props = { problems: components["schemas"]["ConnectionProblem"][] };

/** Connections that cannot be read, and why; the others are shown all the same. */
export const ConnectionProblems = ({ problems }: Props) =>
  problems.length === 0 ? null : (
    <Stack gap={2}>
      {problems.map((problem) => (
        <Alert.Root key={problem.connection} status="warning">
          <Alert.Indicator />
          <Alert.Content minW={0}>
            <Alert.Title>
              {problem.connection}: {problem.title}
            </Alert.Title>
            <Alert.Description overflowWrap="anywhere">
              <Sentence text={problem.detail} />
            </Alert.Description>
          </Alert.Content>
        </Alert.Root>
      ))}
    </Stack>
  );
