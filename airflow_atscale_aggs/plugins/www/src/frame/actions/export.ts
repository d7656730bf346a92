/** Export of a model's definitions: what the server streams becomes a file of the browser. */
import { fetchClient } from "src/api/client";
import { saveFile } from "src/utils/files";
import type { Model } from "src/frame/models";

/** The name of a file in a header `Content-Disposition`; the plain form will do. */
export const fileName = (header: string | null, otherwise: string): string =>
  /filename="([^"]+)"/.exec(header ?? "")?.[1] ?? otherwise;

/** What was exported. */
export type Exported = { name: string; bytes: number; definitions: number };

const countDefinitions = async (file: Blob): Promise<number> => {
  const content = JSON.parse(await file.text()) as { definitions?: unknown[] };
  return content.definitions?.length ?? 0;
};

/** Read the definitions of a model and hand them to the browser as a file. */
export const exportDefinitions = async (model: Model): Promise<Exported> => {
  const { data, response } = await fetchClient.GET("/api/connections/{connection}/models/{model}/export", {
    params: { path: { connection: model.connection, model: model.id } },
    parseAs: "blob",
  });
  const blob = data as unknown as Blob;
  const name = fileName(response.headers.get("content-disposition"), `${model.name}_definitions.json`);
  saveFile(name, blob);
  return { name, bytes: blob.size, definitions: await countDefinitions(blob) };
};
