import { IconButton, Menu, Portal } from "@chakra-ui/react";
import { LuColumns3 } from "react-icons/lu";

type Choice = { id: string; label: string; isExtra?: boolean };

type Props = {
  /** What the rows are: `definitions`. */
  name: string;
  columns: Choice[];
  /** Ids of the columns that were chosen; null: nobody chose. */
  shown: string[] | null;
  onChange: (shown: string[] | null) => void;
};

/** Which columns of a table one wants to see. The first one is always there. */
export const ColumnChooser = ({ name, columns, shown, onChange }: Props) => {
  const [first, ...others] = columns;
  const isShown = (column: Choice) => shown?.includes(column.id) ?? column.isExtra !== true;
  const choose = (id: string, isWanted: boolean) => {
    onChange(
      columns.filter((column) => (column.id === id ? isWanted : isShown(column))).map(({ id: each }) => each),
    );
  };
  return (
    <Menu.Root closeOnSelect={false} positioning={{ placement: "bottom-end" }}>
      <Menu.Trigger asChild>
        <IconButton aria-label={`Columns of ${name}`} size="sm" title="Columns" variant="outline">
          <LuColumns3 />
        </IconButton>
      </Menu.Trigger>
      <Portal>
        <Menu.Positioner>
          <Menu.Content maxH="60vh" overflow="auto">
            <Menu.ItemGroup>
              <Menu.ItemGroupLabel>Columns beside {first?.label}</Menu.ItemGroupLabel>
              {others.map((column) => (
                <Menu.CheckboxItem
                  checked={isShown(column)}
                  key={column.id}
                  onCheckedChange={(isWanted) => {
                    choose(column.id, isWanted);
                  }}
                  value={column.id}
                >
                  <Menu.ItemIndicator />
                  {column.label}
                </Menu.CheckboxItem>
              ))}
            </Menu.ItemGroup>
            <Menu.Separator />
            <Menu.Item
              onClick={() => {
                onChange(null);
              }}
              value="as they were"
            >
              As they were at first
            </Menu.Item>
          </Menu.Content>
        </Menu.Positioner>
      </Portal>
    </Menu.Root>
  );
};
