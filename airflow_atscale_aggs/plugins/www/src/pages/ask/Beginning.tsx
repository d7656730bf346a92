import { chakra, Stack, Text } from "@chakra-ui/react";

import { $api } from "src/api/client";
import type { Model } from "src/frame/models";

import type { Structure } from "./documents";
import { exampleQueries } from "./model_names";

type Props = {
  model: Model;
  structure: Structure | undefined;
  /** Puts a query into the editor. */
  onChoose: (sql: string) => void;
};

/** What stands there before anything was asked: what one does here, and queries to begin with. */
export const Beginning = ({ model, structure, onChoose }: Props) => {
  const { data } = $api.useQuery("get", "/api/connections/{connection}/definitions", {
    params: {
      path: { connection: model.connection },
      query: { model: [model.id], sort: "uses", descending: true, limit: 20 },
    },
  });
  const examples = structure === undefined ? [] : exampleQueries(model, structure, data?.items ?? []);
  return (
    <Stack gap={3} maxW="48rem">
      <Text color="fg.muted" fontSize="sm">
        The model is one flat table: name its attributes and metrics, and the query is grouped by the
        attributes. “Run” answers it, from an aggregate where one fits; “Explain” tells which one would, and
        why no other one does, without running it.
      </Text>
      {examples.length === 0 ? null : (
        <Stack aria-label="Queries to begin with" as="ul" gap={2} listStyleType="none">
          {examples.map((sql) => (
            <li key={sql}>
              <chakra.button
                _focusVisible={{ outline: "2px solid", outlineColor: "brand.focusRing" }}
                _hover={{ bg: "bg.muted" }}
                bg="bg.subtle"
                borderRadius="md"
                borderWidth={1}
                cursor="pointer"
                fontFamily="mono"
                fontSize="xs"
                onClick={() => {
                  onChoose(sql);
                }}
                px={3}
                py={2}
                textAlign="start"
                type="button"
                whiteSpace="pre-wrap"
                width="100%"
              >
                {sql}
              </chakra.button>
            </li>
          ))}
        </Stack>
      )}
    </Stack>
  );
};
