import { Button } from "@chakra-ui/react";
import { useCallback } from "react";

import { FilterMenu } from "src/components/FilterMenu";
import { SearchBox } from "src/components/SearchBox";

import {
  builtChoicesOf,
  DEFAULT_STATE,
  type Filters,
  isFiltered,
  STATE_CHOICES,
  STATUS_CHOICES,
  TYPE_CHOICES,
  USED_CHOICES,
} from "./definition_filters";

type Props = {
  filters: Filters;
  onChange: (changes: Partial<Filters>) => void;
  onClear: () => void;
};

/** Search and filters of the Definitions tab. */
export const DefinitionFilters = ({ filters, onChange, onClear }: Props) => {
  const search = useCallback(
    (text: string) => {
      onChange({ search: text });
    },
    [onChange],
  );
  return (
    <>
      <SearchBox label="Search names" onChange={search} value={filters.search} />
      <FilterMenu
        choices={TYPE_CHOICES}
        chosen={filters.type}
        label="Type"
        onChange={(type) => {
          onChange({ type });
        }}
      />
      <FilterMenu
        choices={STATUS_CHOICES}
        chosen={filters.status}
        label="Status"
        onChange={(status) => {
          onChange({ status });
        }}
      />
      <FilterMenu
        choices={USED_CHOICES}
        chosen={filters.used}
        isSingle
        label="Used"
        onChange={(used) => {
          onChange({ used });
        }}
      />
      <FilterMenu
        choices={builtChoicesOf(filters.built)}
        chosen={filters.built}
        isSingle
        label="Built"
        onChange={(built) => {
          onChange({ built });
        }}
      />
      <FilterMenu
        choices={STATE_CHOICES}
        chosen={filters.state}
        label="State"
        onChange={(state) => {
          onChange({ state });
        }}
        usual={DEFAULT_STATE}
      />
      {isFiltered(filters) ? (
        <Button onClick={onClear} size="sm" variant="ghost">
          Clear
        </Button>
      ) : null}
    </>
  );
};
