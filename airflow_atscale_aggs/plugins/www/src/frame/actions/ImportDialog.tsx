import { Button, CloseButton, Dialog, FileUpload, Portal, Stack, Text } from "@chakra-ui/react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { LuUpload } from "react-icons/lu";
import { useNavigate } from "react-router-dom";

import { fetchClient, queryClient } from "src/api/client";
import { ErrorState } from "src/components/ErrorState";
import { GuardedButton } from "src/components/GuardedButton";
import { type Model, pageAddress } from "src/frame/models";
import { useAddressParam } from "src/hooks/useAddress";
import { useNarrow } from "src/hooks/useNarrow";
import { formatBytes, plural } from "src/utils/numbers";

import { sayStarted } from "./BuildDialog";
import { type ImportAnswer, newToBuild } from "./import_report";
import { ImportReport } from "./ImportReport";
import { whyNoBuild, whyNoImport } from "./rights";

type Props = { model: Model };

const PATH = "/api/connections/{connection}/models/{model}/import";

const send = async (model: Model, file: File): Promise<ImportAnswer> => {
  const form = new FormData();
  form.append("file", file);
  const { data } = await fetchClient.POST(PATH, {
    params: { path: { connection: model.connection, model: model.id } },
    // The description knows the form's part as a text.
    body: form as unknown as { file: string },
    bodySerializer: (body) => body as unknown as FormData,
  });
  if (data === undefined) {
    throw new TypeError("no answer");
  }
  await queryClient.invalidateQueries();
  return data;
};

const buildNew = async (model: Model, names: string[]) => {
  const { data } = await fetchClient.POST("/api/connections/{connection}/models/{model}/batches", {
    params: { path: { connection: model.connection, model: model.id } },
    body: { build_type: "full", aggregates: names },
  });
  void queryClient.invalidateQueries();
  return data;
};

/** Takes a file of definitions and tells what became of each. Open while `import` stands in the address. */
export const ImportDialog = ({ model }: Props) => {
  const [param, setParam] = useAddressParam("import");
  const isNarrow = useNarrow();
  const navigate = useNavigate();
  const [file, setFile] = useState<File | null>(null);
  const imported = useMutation({ mutationFn: (chosen: File) => send(model, chosen) });
  const built = useMutation({
    mutationFn: (names: string[]) => buildNew(model, names),
    onSuccess: (started) => {
      if (started !== undefined) {
        sayStarted(started);
        void navigate(pageAddress("batches", model, { batch: started.id }));
      }
    },
  });
  const report = imported.data;
  const added = report === undefined ? [] : newToBuild(report);
  const close = () => {
    setFile(null);
    imported.reset();
    built.reset();
    setParam(null);
  };
  return (
    <Dialog.Root
      closeOnInteractOutside={false}
      lazyMount
      onOpenChange={({ open }) => {
        if (!open) {
          close();
        }
      }}
      open={param !== ""}
      scrollBehavior="inside"
      size={isNarrow ? "full" : report === undefined ? "md" : "xl"}
      unmountOnExit
    >
      <Portal>
        <Dialog.Backdrop />
        <Dialog.Positioner>
          <Dialog.Content>
            <Dialog.Header>
              <Dialog.Title>
                Import definitions into {model.label === "" ? model.name : model.label}
              </Dialog.Title>
            </Dialog.Header>
            <Dialog.Body>
              <Stack gap={4}>
                {report === undefined ? (
                  <FilePart file={file} onChange={setFile} />
                ) : (
                  <ImportReport model={model} report={report} />
                )}
                {imported.isError ? <ErrorState error={imported.error} /> : null}
                {built.isError ? <ErrorState error={built.error} /> : null}
              </Stack>
            </Dialog.Body>
            <Dialog.Footer flexWrap="wrap">
              <Button onClick={close} variant="outline">
                {report === undefined ? "Cancel" : "Close"}
              </Button>
              {report === undefined ? (
                <GuardedButton
                  colorPalette="brand"
                  loading={imported.isPending}
                  onClick={() => {
                    if (file !== null) {
                      imported.mutate(file);
                    }
                  }}
                  why={whyNoImport(model) || (file === null ? "Choose a file first." : "")}
                >
                  Import
                </GuardedButton>
              ) : added.length === 0 ? null : (
                <GuardedButton
                  colorPalette="brand"
                  loading={built.isPending}
                  onClick={() => {
                    built.mutate(added);
                  }}
                  why={whyNoBuild(model)}
                >
                  Build what is new ({plural(added.length, "aggregate")})
                </GuardedButton>
              )}
            </Dialog.Footer>
            <Dialog.CloseTrigger asChild>
              <CloseButton aria-label="Close" size="sm" />
            </Dialog.CloseTrigger>
          </Dialog.Content>
        </Dialog.Positioner>
      </Portal>
    </Dialog.Root>
  );
};

type FilePartProps = { file: File | null; onChange: (file: File | null) => void };

const FilePart = ({ file, onChange }: FilePartProps) => (
  <>
    <Text color="fg.muted" fontSize="sm">
      A file that “Export” or <code>atscale-aggs export</code> has made of the same model. What is defined
      here already is left alone, so the same file may be imported twice. Nothing is deleted, and no query is
      answered otherwise until a batch has built what is new.
    </Text>
    <FileUpload.Root
      accept="application/json,.json"
      acceptedFiles={file === null ? [] : [file]}
      maxFiles={1}
      onFileChange={({ acceptedFiles }) => {
        onChange(acceptedFiles[0] ?? null);
      }}
    >
      <FileUpload.HiddenInput aria-label="File of definitions" />
      <FileUpload.Dropzone width="full">
        <LuUpload aria-hidden />
        <FileUpload.DropzoneContent>
          <Text>{file === null ? "Drop the file here, or press to choose it" : file.name}</Text>
          <Text color="fg.muted">{file === null ? "JSON" : formatBytes(file.size)}</Text>
        </FileUpload.DropzoneContent>
      </FileUpload.Dropzone>
    </FileUpload.Root>
  </>
);
