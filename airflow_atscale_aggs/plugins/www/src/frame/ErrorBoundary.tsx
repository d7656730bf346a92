import { Alert, Button } from "@chakra-ui/react";
import { Component, type ReactNode } from "react";

type Props = { children: ReactNode };
type State = { error: Error | null };

/** Keeps a fault of one part from taking Airflow's whole page with it. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: Error): State {
    return { error };
  }

  override render() {
    if (this.state.error === null) {
      return this.props.children;
    }
    return (
      <Alert.Root role="alert" status="error">
        <Alert.Indicator />
        <Alert.Content>
          <Alert.Title>This part of the page cannot be shown</Alert.Title>
          <Alert.Description>
            The page and the server may be of different versions, as just after an upgrade. Reload the page;
            if that does not help, tell whoever runs this Airflow: {this.state.error.message}
            <br />
            <Button
              mt={3}
              onClick={() => {
                globalThis.location.reload();
              }}
              size="xs"
              variant="outline"
            >
              Reload
            </Button>
          </Alert.Description>
        </Alert.Content>
      </Alert.Root>
    );
  }
}
