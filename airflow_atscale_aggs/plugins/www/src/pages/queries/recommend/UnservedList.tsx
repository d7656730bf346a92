import { Box, Code, Stack, Text } from "@chakra-ui/react";

import { Sentence } from "src/components/Sentence";

import type { Unserved } from "../documents";
import { aboutQueries, byReason } from "./recommendations";

const MOST_QUERIES = 5;

type Props = {
  unserved: readonly Unserved[];
  /** Whether one sees it without opening it. */
  isOpen?: boolean;
};

/** What no aggregate may answer, by its reason. */
export const UnservedList = ({ unserved, isOpen = false }: Props) =>
  unserved.length === 0 ? null : (
    <Box as="details" fontSize="sm" {...(isOpen ? { open: true } : {})}>
      <Box as="summary" cursor="pointer">
        What no aggregate can serve, and why:{" "}
        {aboutQueries(unserved.reduce((sum, each) => sum + each.queries, 0))}
      </Box>
      <Stack as="ul" gap={3} listStyleType="none" m={0} mt={2} p={0}>
        {byReason(unserved).map(({ why, queries, what }) => (
          <Box as="li" key={why}>
            <Text overflowWrap="anywhere">
              <Sentence text={why} />
              <Text as="span" color="fg.muted">
                {" "}
                ({aboutQueries(queries)})
              </Text>
            </Text>
            <Stack gap={1} mt={1} ps={3}>
              {what.slice(0, MOST_QUERIES).map((sql) => (
                <Code alignSelf="flex-start" fontSize="xs" key={sql} overflowWrap="anywhere" variant="plain">
                  {sql}
                </Code>
              ))}
              {what.length > MOST_QUERIES ? (
                <Text color="fg.muted" fontSize="xs">
                  and {what.length - MOST_QUERIES} more
                </Text>
              ) : null}
            </Stack>
          </Box>
        ))}
      </Stack>
    </Box>
  );
