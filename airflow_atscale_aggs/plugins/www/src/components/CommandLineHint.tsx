import { Code, Text } from "@chakra-ui/react";

import { EmptyState } from "./EmptyState";

type Props = { title: string; command: string };

/** Says which verb of the command line shows what this place does not show. */
export const CommandLineHint = ({ title, command }: Props) => (
  <EmptyState title={title}>
    <Text mb={2}>The command line shows it:</Text>
    <Code>{command}</Code>
  </EmptyState>
);
