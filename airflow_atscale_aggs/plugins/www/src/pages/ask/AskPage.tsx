import { Box, Flex, Stack } from "@chakra-ui/react";
import { useCallback, useEffect, useMemo, useRef } from "react";

import { $api } from "src/api/client";
import { ErrorState } from "src/components/ErrorState";
import { SqlEditor } from "src/components/sql/SqlEditor";
import { useAddressParams } from "src/hooks/useAddress";

import type { PageProps } from "../page_props";
import { LONGEST_IN_ADDRESS, optionsOf, paramsOf } from "./ask_options";
import { ask, type Deed, forgetHistory, type PastQuery, setDraft, useAsked } from "./asked";
import { AskedView } from "./AskedView";
import { AskToolbar } from "./AskToolbar";
import { Beginning } from "./Beginning";
import { offeredNames } from "./model_names";
import { NamesPanel } from "./NamesPanel";

const PLACEHOLDER = "SELECT … FROM … : attributes and metrics of the model, in double quotes";

/** The Ask tab: an editor that runs or explains one query, and what came of it. */
export default function AskPage({ model }: PageProps) {
  const [params, setParams] = useAddressParams();
  const options = useMemo(() => optionsOf(params), [params]);
  const state = useAsked(model);
  const inAddress = params.get("sql") ?? "";
  const sql = state.draft ?? inAddress;
  const insert = useRef<((text: string) => void) | null>(null);
  const structure = $api.useQuery(
    "get",
    "/api/connections/{connection}/models/{model}/structure",
    { params: { path: { connection: model.connection, model: model.id } } },
    { staleTime: 300_000 },
  );
  const names = useMemo(
    () => (structure.data === undefined ? [] : offeredNames(model, structure.data)),
    [model, structure.data],
  );

  // Whoever comes by a link, or goes back, sees the query of the address.
  useEffect(() => {
    if (inAddress !== "") {
      setDraft(model, inAddress);
    }
  }, [model, inAddress]);

  const write = useCallback(
    (text: string) => {
      setDraft(model, text);
    },
    [model],
  );
  const begin = (deed: Deed) => {
    const query = sql.trim();
    if (query !== "" && state.waiting === null) {
      setParams({ sql: query.length > LONGEST_IN_ADDRESS ? null : sql });
      void ask(model, deed, query, options);
    }
  };
  const choose = (past: PastQuery) => {
    setParams({ sql: past.sql.length > LONGEST_IN_ADDRESS ? null : past.sql, ...paramsOf(past.options) });
    setDraft(model, past.sql);
  };
  const onReady = useCallback((put: (text: string) => void) => {
    insert.current = put;
  }, []);

  return (
    <Stack gap={4}>
      <Flex direction={{ base: "column", lg: "row" }} gap={4}>
        <Stack flex={1} gap={3} minW={0}>
          <SqlEditor
            label="Query"
            names={names}
            onChange={write}
            onExplain={() => {
              begin("explain");
            }}
            onReady={onReady}
            onRun={() => {
              begin("run");
            }}
            placeholder={PLACEHOLDER}
            value={sql}
          />
          <AskToolbar
            hasQuery={sql.trim() !== ""}
            onChange={(changes) => {
              setParams(paramsOf(changes), { replace: true });
            }}
            onChoose={choose}
            onExplain={() => {
              begin("explain");
            }}
            onForget={() => {
              forgetHistory(model);
            }}
            onRun={() => {
              begin("run");
            }}
            options={options}
            state={state}
          />
        </Stack>
        <Box flex={{ lg: "0 0 17rem" }} hideBelow="lg" position="relative">
          {/* As high as the editor beside it, however many names there are. */}
          <Box inset={0} position="absolute">
            <NamesPanel onInsert={(text) => insert.current?.(text)} structure={structure.data} />
          </Box>
        </Box>
      </Flex>
      {structure.error === null ? null : (
        <ErrorState error={structure.error} onRetry={() => void structure.refetch()} />
      )}
      {state.asked === null ? (
        <Beginning model={model} onChoose={write} structure={structure.data} />
      ) : (
        <Box opacity={state.waiting === null ? 1 : 0.6} transition="opacity 0.15s">
          <AskedView
            asked={state.asked}
            isWaiting={state.waiting !== null}
            model={model}
            onExplain={() => {
              begin("explain");
            }}
            onRun={() => {
              begin("run");
            }}
          />
        </Box>
      )}
    </Stack>
  );
}
