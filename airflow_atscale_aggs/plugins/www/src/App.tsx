import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense } from "react";
import { useParams } from "react-router-dom";

import { queryClient } from "./api/client";
import { LoadingState } from "./components/LoadingState";
import { Toaster } from "./components/toaster";
import { ErrorBoundary } from "./frame/ErrorBoundary";
import { PageFrame } from "./frame/PageFrame";
import { useSettledHost } from "./hooks/useSettledHost";
import type { TabProps } from "./tabs/tab_props";

const DagTab = lazy(() => import("./tabs/DagTab"));
const RunTab = lazy(() => import("./tabs/RunTab"));
const TaskTab = lazy(() => import("./tabs/TaskTab"));

/** What Airflow tells of where it shows us; all absent on the page itself. */
export type HostProps = { dagId?: string; runId?: string; taskId?: string; mapIndex?: string };

const place = (props: HostProps, path: string): ReactNode => {
  const tab: TabProps = {
    dagId: props.dagId ?? "",
    runId: props.runId ?? "",
    taskId: props.taskId ?? "",
    mapIndex: Number(props.mapIndex ?? -1),
  };
  if (props.taskId !== undefined) {
    return <TaskTab {...tab} />;
  }
  if (props.runId !== undefined) {
    return <RunTab {...tab} />;
  }
  return props.dagId === undefined ? <PageFrame path={path} /> : <DagTab {...tab} />;
};

/** Everything of ours inside Airflow's UI: the page, and the tabs on a DAG, a run and a task instance. */
export const App = (props: HostProps) => {
  const { "*": path = "" } = useParams();
  useSettledHost();
  return (
    <QueryClientProvider client={queryClient}>
      <ErrorBoundary>
        <Suspense fallback={<LoadingState label="Loading" />}>{place(props, path)}</Suspense>
      </ErrorBoundary>
      <Toaster />
    </QueryClientProvider>
  );
};
