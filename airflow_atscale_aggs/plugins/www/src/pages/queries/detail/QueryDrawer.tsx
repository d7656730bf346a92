import { $api } from "src/api/client";
import { ErrorState } from "src/components/ErrorState";
import { LoadingState } from "src/components/LoadingState";
import { SideDrawer } from "src/components/SideDrawer";
import { StatusBadge } from "src/components/StatusBadge";
import type { Model } from "src/frame/models";
import { useAddressParam } from "src/hooks/useAddress";

import { QueryDetails } from "./QueryDetails";

type Props = { model: Model };

/** Everything about the query that the address names. */
export const QueryDrawer = ({ model }: Props) => {
  const [id] = useAddressParam("query");
  const { data, error, refetch } = $api.useQuery(
    "get",
    "/api/connections/{connection}/queries/{query_id}",
    // Ids are numbers in the address of the API, and texts in its documents.
    { params: { path: { connection: model.connection, query_id: Number(id) } } },
    { enabled: id !== "", staleTime: Infinity },
  );
  return (
    <SideDrawer
      aside={data === undefined ? null : <StatusBadge status={data.outcome} />}
      param="query"
      size="xl"
      title="Query"
    >
      {() => {
        if (data !== undefined) {
          return <QueryDetails key={data.id} model={model} query={data} />;
        }
        return error === null ? (
          <LoadingState height="3rem" label="Reading the query" lines={8} />
        ) : (
          <ErrorState error={error} onRetry={() => void refetch()} />
        );
      }}
    </SideDrawer>
  );
};
