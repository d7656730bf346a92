import { $api } from "src/api/client";

/** All models that the user may read, over all connections, and the connections that do not work. */
export const useModels = () => $api.useQuery("get", "/api/models", {}, { staleTime: 30_000 });
