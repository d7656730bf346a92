import { formatCount } from "src/utils/numbers";
import { Button, Menu, Portal } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { LuChevronDown } from "react-icons/lu";

/** One choice of a {@link FilterMenu}. */
export type Choice = { value: string; label: string; icon?: ReactNode };

type Props = {
  /** What is chosen: `Status`. */
  label: string;
  choices: readonly Choice[];
  /** Values that are chosen; none: all are shown. */
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
  /** Whether one choice takes the place of another. The first one is then the same as none. */
  isSingle?: boolean;
  /** What is chosen at first, where that is not nothing. */
  usual?: readonly string[];
  /** What stands there when none is chosen; `any` when absent. */
  otherwise?: string;
};

const summary = ({ choices, chosen, otherwise = "any" }: Props) => {
  const [first, ...others] = choices.filter((choice) => chosen.includes(choice.value));
  if (first === undefined) {
    return otherwise;
  }
  return others.length === 0 ? first.label : `${first.label} +${formatCount(others.length)}`;
};

/** A filter of a list: a button that tells what is chosen, and a menu that changes it. */
export const FilterMenu = (props: Props) => {
  const { label, choices, chosen, onChange, isSingle = false, usual = [] } = props;
  const isSet = chosen.join() !== usual.join();
  return (
    <Menu.Root closeOnSelect={isSingle} positioning={{ placement: "bottom-start" }}>
      <Menu.Trigger asChild>
        <Button
          borderColor={isSet ? "brand.emphasized" : undefined}
          colorPalette={isSet ? "brand" : "gray"}
          fontWeight="normal"
          px={{ base: 2, md: 4 }}
          size="sm"
          variant={isSet ? "subtle" : "outline"}
        >
          {label}: <b>{summary(props)}</b>
          <LuChevronDown aria-hidden />
        </Button>
      </Menu.Trigger>
      <Portal>
        <Menu.Positioner>
          <Menu.Content maxH="60vh" overflow="auto">
            {isSingle ? (
              <Menu.RadioItemGroup
                onValueChange={({ value }) => {
                  onChange(value === choices[0]?.value ? [] : [value]);
                }}
                value={chosen[0] ?? choices[0]?.value ?? ""}
              >
                {choices.map((choice) => (
                  <Menu.RadioItem key={choice.value} value={choice.value}>
                    <Menu.ItemIndicator />
                    {choice.label}
                  </Menu.RadioItem>
                ))}
              </Menu.RadioItemGroup>
            ) : (
              choices.map((choice) => (
                <Menu.CheckboxItem
                  checked={chosen.includes(choice.value)}
                  key={choice.value}
                  onCheckedChange={(isWanted) => {
                    onChange(
                      choices
                        .map((each) => each.value)
                        .filter((value) => (value === choice.value ? isWanted : chosen.includes(value))),
                    );
                  }}
                  value={choice.value}
                >
                  <Menu.ItemIndicator />
                  {choice.icon}
                  {choice.label}
                </Menu.CheckboxItem>
              ))
            )}
          </Menu.Content>
        </Menu.Positioner>
      </Portal>
    </Menu.Root>
  );
};
