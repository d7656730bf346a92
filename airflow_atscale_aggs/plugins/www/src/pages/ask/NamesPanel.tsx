import { Box, Button, Input, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { quoteName } from "src/components/sql/sql_names";

import type { Structure } from "./documents";
import { nameGroups } from "./model_names";

type Props = {
  structure: Structure | undefined;
  /** Writes a text where the editor's cursor stands. */
  onInsert: (text: string) => void;
};

/** The attributes and metrics of a model; a click writes one into the query. */
export const NamesPanel = ({ structure, onInsert }: Props) => {
  const [search, setSearch] = useState("");
  const groups = structure === undefined ? [] : nameGroups(structure, search);
  return (
    <Stack aria-label="Names of the model" as="section" gap={2} height="100%" minH={0}>
      <Input
        aria-label="Search attributes and metrics"
        onChange={(event) => {
          setSearch(event.currentTarget.value);
        }}
        placeholder="Search attributes and metrics"
        size="sm"
        value={search}
      />
      <Box borderRadius="md" borderWidth={1} flex={1} minH={0} overflow="auto" p={1}>
        {structure === undefined ? <Skeleton height="8rem" /> : null}
        {structure !== undefined && groups.length === 0 ? (
          <Text color="fg.muted" fontSize="sm" p={2}>
            {search === "" ? "The model has no names to ask for." : `Nothing is like “${search}”.`}
          </Text>
        ) : null}
        {groups.map(({ title, names }) => (
          <Box key={title} mb={1}>
            <Text color="fg.muted" fontSize="xs" fontWeight="semibold" px={2} py={1}>
              {title}
            </Text>
            {names.map(({ name, help }) => (
              <Button
                display="block"
                fontWeight="normal"
                height="auto"
                key={name}
                onClick={() => {
                  onInsert(quoteName(name));
                }}
                overflow="hidden"
                px={2}
                py={0.5}
                size="xs"
                textAlign="start"
                textOverflow="ellipsis"
                title={help === "" || help === name ? name : `${name}: ${help}`}
                variant="ghost"
                whiteSpace="nowrap"
                width="100%"
              >
                {name}
              </Button>
            ))}
          </Box>
        ))}
      </Box>
    </Stack>
  );
};
