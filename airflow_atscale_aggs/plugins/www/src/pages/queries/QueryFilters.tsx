import { Button, Tag } from "@chakra-ui/react";
import { useCallback } from "react";

import { $api } from "src/api/client";
import { FilterMenu } from "src/components/FilterMenu";
import { SearchBox } from "src/components/SearchBox";
import type { Model } from "src/frame/models";

import { type Filters, isFiltered, OUTCOME_CHOICES, PERIOD_CHOICES } from "./query_filters";

type AnsweredByProps = { model: Model; id: string; onClear: () => void };

const AnsweredBy = ({ model, id, onClear }: AnsweredByProps) => {
  const { data } = $api.useQuery("get", "/api/connections/{connection}/definitions/{definition_id}", {
    params: { path: { connection: model.connection, definition_id: id } },
  });
  const name = data?.name ?? id;
  return (
    <Tag.Root colorPalette="brand" maxW="20rem" size="lg" variant="surface">
      <Tag.Label title={name}>Answered by {name}</Tag.Label>
      <Tag.EndElement>
        <Tag.CloseTrigger aria-label="Show what others answered too" onClick={onClear} />
      </Tag.EndElement>
    </Tag.Root>
  );
};

type Props = {
  model: Model;
  filters: Filters;
  onChange: (changes: Partial<Filters>) => void;
  onClear: () => void;
};

/** Search and filters of the Queries tab. */
export const QueryFilters = ({ model, filters, onChange, onClear }: Props) => {
  const search = useCallback(
    (text: string) => {
      onChange({ search: text });
    },
    [onChange],
  );
  return (
    <>
      <SearchBox label="Search SQL" onChange={search} value={filters.search} />
      <FilterMenu
        choices={OUTCOME_CHOICES}
        chosen={filters.outcome}
        label="Outcome"
        onChange={(outcome) => {
          onChange({ outcome });
        }}
      />
      <FilterMenu
        choices={PERIOD_CHOICES}
        chosen={filters.period}
        isSingle
        label="Asked"
        onChange={(period) => {
          onChange({ period });
        }}
      />
      {filters.definition === "" ? null : (
        <AnsweredBy
          id={filters.definition}
          model={model}
          onClear={() => {
            onChange({ definition: "" });
          }}
        />
      )}
      {isFiltered(filters) ? (
        <Button onClick={onClear} size="sm" variant="ghost">
          Clear
        </Button>
      ) : null}
    </>
  );
};
