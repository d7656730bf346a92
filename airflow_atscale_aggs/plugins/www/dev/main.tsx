/** A host for development: the page as Airflow shows it, without Airflow's own UI around it. */
import { Box, Button, ChakraProvider, HStack } from "@chakra-ui/react";
import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import {
  createBrowserRouter,
  Link,
  Navigate,
  RouterProvider,
  useLocation,
  useParams,
} from "react-router-dom";

import { App, type HostProps } from "src/App";

import { Gallery } from "./Gallery";
import { system } from "./theme";

/** As Airflow does, mount the page anew at each path. */
const Host = ({ children }: { children?: ReactNode }) => {
  const { pathname } = useLocation();
  const props = useParams() as HostProps;
  return (
    <Box height="100vh" display="flex" flexDirection="column">
      <HStack bg="brand.muted" p={1}>
        <Button
          onClick={() => {
            document.documentElement.classList.toggle("dark");
            document.documentElement.classList.toggle("light");
          }}
          size="xs"
          variant="ghost"
        >
          Light or dark
        </Button>
        <Link to="/plugin/aggregates">Page</Link>
        <Link to="/gallery">Gallery</Link>
      </HStack>
      <Box flex={1} minH={0}>
        {children ?? (
          <App
            dagId={props.dagId}
            key={pathname}
            mapIndex={props.mapIndex}
            runId={props.runId}
            taskId={props.taskId}
          />
        )}
      </Box>
    </Box>
  );
};

const router = createBrowserRouter([
  { path: "/plugin/:page/*", element: <Host /> },
  { path: "/dags/:dagId/plugin/:page/*", element: <Host /> },
  { path: "/dags/:dagId/runs/:runId/plugin/:page/*", element: <Host /> },
  { path: "/dags/:dagId/runs/:runId/tasks/:taskId/plugin/:page/*", element: <Host /> },
  { path: "/dags/:dagId/runs/:runId/tasks/:taskId/mapped/:mapIndex/plugin/:page/*", element: <Host /> },
  {
    path: "/gallery",
    element: (
      <Host>
        <Gallery />
      </Host>
    ),
  },
  { path: "*", element: <Navigate to="/plugin/aggregates" /> },
]);

document.documentElement.classList.add("light");
const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <ChakraProvider value={system}>
        <RouterProvider router={router} />
      </ChakraProvider>
    </StrictMode>,
  );
}
