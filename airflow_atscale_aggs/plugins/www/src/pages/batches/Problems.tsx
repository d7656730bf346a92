import { Alert, Box, Heading, Link, List, Text } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import { Sentence } from "src/components/Sentence";
import { RefusedStatement } from "src/components/sql/RefusedStatement";
import { splitError } from "src/utils/errors";
import { formatCount } from "src/utils/numbers";

import { type BatchDetail, taskAddress } from "./batches";

type Props = { batch: BatchDetail };

const MOST = 20;

/** What could not be built, why, and where to clear it. */
export const Problems = ({ batch }: Props) => {
  const failed = batch.steps.filter((step) => step.error !== null);
  if (failed.length === 0) {
    return null;
  }
  const given = new Set(batch.out_of_attempts);
  return (
    <Box as="section" aria-label="What failed">
      <Alert.Root
        alignItems="flex-start"
        status={failed.some((step) => step.status === "failed") ? "error" : "warning"}
      >
        <Alert.Indicator />
        <Alert.Content minW={0}>
          <Alert.Title>
            <Heading as="h3" fontSize="sm" lineHeight="inherit">
              What failed
            </Heading>
          </Alert.Title>
          <Alert.Description>
            <List.Root gap={2} listStyle="none" mt={1}>
              {failed.slice(0, MOST).map((step) => {
                const address = taskAddress(batch, batch.build_task_id, step.map_index);
                return (
                  <List.Item key={step.instance_id} overflowWrap="anywhere">
                    <Text as="span" fontWeight="semibold">
                      {step.aggregate}
                    </Text>
                    : <Sentence text={splitError(step.error ?? "").sentence} />{" "}
                    {given.has(step.aggregate) ? "It has no attempts left. " : null}
                    {address === undefined ? null : (
                      <Link asChild color="inherit" variant="underline">
                        <RouterLink to={address}>Open its task instance to clear it</RouterLink>
                      </Link>
                    )}
                    <RefusedStatement error={step.error ?? ""} of={step.aggregate} />
                  </List.Item>
                );
              })}
            </List.Root>
            {failed.length > MOST ? (
              <Text mt={2}>And {formatCount(failed.length - MOST)} more, in the table below.</Text>
            ) : null}
          </Alert.Description>
        </Alert.Content>
      </Alert.Root>
    </Box>
  );
};
