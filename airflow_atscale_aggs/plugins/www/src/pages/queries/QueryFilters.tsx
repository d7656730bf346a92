import { Button } from "@chakra-ui/react";
import { keepPreviousData } from "@tanstack/react-query";
import { useCallback, useState } from "react";

import { $api } from "src/api/client";
import { FilterMenu } from "src/components/FilterMenu";
import { PickMenu } from "src/components/PickMenu";
import { SearchBox } from "src/components/SearchBox";
import type { Model } from "src/frame/models";
import { useDebounced } from "src/hooks/useDebounced";

import type { Query } from "./documents";
import { type Filters, isFiltered, OUTCOME_CHOICES, PERIOD_CHOICES, usersOf } from "./query_filters";

const MOST_CHOICES = 50;

type DefinitionProps = { model: Model; id: string; onChange: (id: string) => void };

/** The definition that answered. There may be thousands, so the server searches them. */
const AnsweredBy = ({ model, id, onChange }: DefinitionProps) => {
  const [search, setSearch] = useState("");
  const path = { connection: model.connection };
  const settled = useDebounced(search);
  const { data: found } = $api.useQuery(
    "get",
    "/api/connections/{connection}/definitions",
    {
      params: {
        path,
        query: {
          model: [model.id],
          limit: MOST_CHOICES,
          state: ["defined", "blocked"],
          ...(settled === "" ? {} : { search: settled }),
        },
      },
    },
    { placeholderData: keepPreviousData, staleTime: 60_000 },
  );
  const choices = found?.items.map(({ id: value, name }) => ({ value, label: name })) ?? [];
  const known = choices.find(({ value }) => value === id);
  const { data: chosen } = $api.useQuery(
    "get",
    "/api/connections/{connection}/definitions/{definition_id}",
    { params: { path: { ...path, definition_id: id } } },
    { enabled: id !== "" && known === undefined },
  );
  return (
    <PickMenu
      choices={choices}
      chosen={id}
      empty="No definition has this in its name."
      label="Answered by"
      onChange={onChange}
      onSearch={setSearch}
      search={search}
      shown={known?.label ?? chosen?.name ?? id}
    />
  );
};

type UserProps = { rows: readonly Query[]; user: string; onChange: (user: string) => void };

/** Who asked: those who are seen in the list, or any name that is typed. */
const AskedBy = ({ rows, user, onChange }: UserProps) => {
  const [search, setSearch] = useState("");
  const typed = search.trim();
  const seen = usersOf([...rows, { user }], typed);
  const choices = seen.map((value) => ({ value, label: value }));
  const isNew = typed !== "" && !seen.includes(typed);
  return (
    <PickMenu
      choices={isNew ? [...choices, { value: typed, label: `“${typed}”, exactly` }] : choices}
      chosen={user}
      empty="Nobody of these queries is known by name."
      label="Who"
      onChange={onChange}
      onSearch={setSearch}
      search={search}
      shown={user}
    />
  );
};

type Props = {
  model: Model;
  filters: Filters;
  /** The queries that are listed. */
  rows: readonly Query[];
  onChange: (changes: Partial<Filters>) => void;
  onClear: () => void;
};

/** Search and filters of the Queries tab. */
export const QueryFilters = ({ model, filters, rows, onChange, onClear }: Props) => {
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
      <AnsweredBy
        id={filters.definition}
        model={model}
        onChange={(definition) => {
          onChange({ definition });
        }}
      />
      <AskedBy
        onChange={(user) => {
          onChange({ user });
        }}
        rows={rows}
        user={filters.user}
      />
      {isFiltered(filters) ? (
        <Button onClick={onClear} size="sm" variant="ghost">
          Clear
        </Button>
      ) : null}
    </>
  );
};
