import { Button } from "@chakra-ui/react";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { describe, expect, it, vi } from "vitest";

import { ProblemError, toProblem } from "src/api/problems";
import { useAddressParam } from "src/hooks/useAddress";
import { renderAt } from "src/test_support";

import { ConfirmDialog } from "./ConfirmDialog";
import { SearchBox } from "./SearchBox";
import { Sentence } from "./Sentence";
import { SideDrawer } from "./SideDrawer";
import { SqlBlock } from "./sql/SqlBlock";
import { StatTile } from "./StatTile";
import { StatusBadge } from "./StatusBadge";
import { TimeText } from "./TimeText";
import { sayDone, sayProblem, Toaster } from "./toaster";

const PLACE = "/plugin/aggregates";

describe("a search", () => {
  it("keeps what is typed while the address is late", async () => {
    const onChange = vi.fn();
    const Box = () => {
      const [value, setValue] = useState("");
      return (
        <>
          <SearchBox label="Search" onChange={onChange} value={value} />
          {["st", "day"].map((arriving) => (
            <Button
              key={arriving}
              onClick={() => {
                setValue(arriving);
              }}
            >
              {arriving} arrives
            </Button>
          ))}
        </>
      );
    };
    renderAt(PLACE, <Box />);
    const user = userEvent.setup();
    const input = screen.getByRole("textbox", { name: "Search" });

    await user.type(input, "st");
    await waitFor(() => {
      expect(onChange).toHaveBeenCalledWith("st");
    });
    await user.type(input, "ore");
    await user.click(screen.getByText("st arrives"));
    expect(input).toHaveValue("store");
    await user.click(screen.getByText("day arrives"));
    expect(input).toHaveValue("day");
  });
});

describe("a status", () => {
  it("is told by a word and its meaning, also one that we do not know", () => {
    renderAt(
      PLACE,
      <>
        <StatusBadge status="staged" />
        <StatusBadge status="new_word" />
      </>,
    );

    expect(screen.getByText("Staged")).toHaveAttribute("title", "Built; it waits for its batch.");
    expect(screen.getByText("new_word")).toBeVisible();
  });
});

describe("a figure", () => {
  it("stands under its name", () => {
    renderAt(PLACE, <StatTile help="of 40" label="Hits" value="12" />);

    expect(screen.getByRole("term")).toHaveTextContent("Hits");
    expect(screen.getByRole("definition")).toHaveTextContent("12of 40");
  });
});

describe("a time", () => {
  it("follows the zone that the user chooses in Airflow", async () => {
    localStorage.setItem("timezone", JSON.stringify("Asia/Tokyo"));
    renderAt(PLACE, <TimeText value="2026-11-28T20:00:00Z" />);
    expect(screen.getByText("2026-11-29 05:00:00")).toHaveAttribute("title", "2026-11-28 20:00:00 UTC");

    localStorage.setItem("timezone", JSON.stringify("UTC"));
    globalThis.dispatchEvent(new StorageEvent("local-storage", { key: "timezone" }));

    expect(await screen.findByText("2026-11-28 20:00:00")).toBeVisible();
  });
});

const Drawn = () => {
  const [, open] = useAddressParam("definition");
  return (
    <>
      <Button
        onClick={() => {
          open("7");
        }}
      >
        Open
      </Button>
      <SideDrawer param="definition" title="One definition">
        {(id) => <p>all about {id}</p>}
      </SideDrawer>
    </>
  );
};

describe("a drawer", () => {
  it("is open while its parameter stands in the address", async () => {
    const { router } = renderAt(`${PLACE}?model=retail`, <Drawn />);
    const opener = screen.getByRole("button", { name: "Open" });

    await userEvent.click(opener);
    expect(await screen.findByText("all about 7")).toBeVisible();
    expect(router.state.location.search).toBe("?model=retail&definition=7");

    await userEvent.keyboard("{Escape}");
    await waitFor(() => {
      expect(router.state.location.search).toBe("?model=retail");
    });
    await waitFor(() => {
      expect(opener).toHaveFocus();
    });
  });

  it("is there for whoever was sent the address", async () => {
    renderAt(`${PLACE}?definition=9`, <Drawn />);

    expect(await screen.findByRole("dialog", { name: "One definition" })).toHaveTextContent("all about 9");
  });
});

const Asking = ({ onConfirm }: { onConfirm: () => Promise<unknown> }) => {
  const [isOpen, setOpen] = useState(true);
  return (
    <ConfirmDialog
      confirmLabel="Delete"
      isDestructive
      isOpen={isOpen}
      onClose={() => {
        setOpen(false);
      }}
      onConfirm={onConfirm}
      title="Delete one instance?"
    >
      Its table is dropped.
    </ConfirmDialog>
  );
};

describe("a question before something is done", () => {
  it("does nothing when one cancels", async () => {
    const onConfirm = vi.fn(() => Promise.resolve());
    renderAt(PLACE, <Asking onConfirm={onConfirm} />);

    expect(await screen.findByRole("alertdialog", { name: "Delete one instance?" })).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "Cancel" }));

    await waitFor(() => {
      expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
    });
    expect(onConfirm).not.toHaveBeenCalled();
  });

  it("stays, and says why, when it cannot be done", async () => {
    const refused = new ProblemError(toProblem({ title: "Conflict", detail: "A batch is in progress." }));
    const onConfirm = vi.fn().mockRejectedValueOnce(refused).mockResolvedValueOnce(undefined);
    renderAt(PLACE, <Asking onConfirm={onConfirm} />);

    await userEvent.click(await screen.findByRole("button", { name: "Delete" }));
    expect(await screen.findByText("A batch is in progress.")).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "Delete" }));

    await waitFor(() => {
      expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument();
    });
  });
});

describe("SQL", () => {
  it("is coloured, and there at once without colours", async () => {
    renderAt(PLACE, <SqlBlock label="The SQL" sql="SELECT a FROM t" />);
    expect(screen.getByRole("region", { name: "The SQL" })).toHaveTextContent("SELECT a FROM t");

    expect(await screen.findByText("SELECT", {}, { timeout: 20_000 })).toHaveClass("sql-keyword");
    expect(screen.getByRole("button", { name: "Copy the SQL" })).toBeVisible();
  });
});

describe("a sentence of the server", () => {
  it("sets names between backquotes as code", () => {
    renderAt(
      PLACE,
      <p data-testid="said">
        <Sentence text="No model `retial`. Did you mean `retail`? A ` stays." />
      </p>,
    );

    expect(screen.getByTestId("said")).toHaveTextContent("No model retial. Did you mean retail? A ` stays.");
    expect(screen.getByText("retial").tagName).toBe("CODE");
  });
});

describe("a toast", () => {
  it("says what was done, or the server's words", async () => {
    renderAt(PLACE, <Toaster />);

    sayDone("Blocked 2 definitions");
    sayProblem(new ProblemError(toProblem({ title: "Forbidden", detail: "A Viewer may not block." })));

    expect(await screen.findByText("Blocked 2 definitions")).toBeVisible();
    expect(await screen.findByText("A Viewer may not block.")).toBeVisible();
  });
});
