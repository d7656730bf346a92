import { DataList } from "@chakra-ui/react";
import type { ReactNode } from "react";

type Props = { facts: readonly (readonly [label: string, value: ReactNode])[] };

/** Names and values in two columns; a value of null is left out. */
export const Facts = ({ facts }: Props) => (
  <DataList.Root gap={1.5} orientation="horizontal" size="sm">
    {facts
      .filter(([, value]) => value !== null)
      .map(([label, value]) => (
        <DataList.Item alignItems="baseline" key={label}>
          <DataList.ItemLabel minW="8.5rem">{label}</DataList.ItemLabel>
          <DataList.ItemValue display="block" minW={0} overflowWrap="anywhere">
            {value}
          </DataList.ItemValue>
        </DataList.Item>
      ))}
  </DataList.Root>
);
