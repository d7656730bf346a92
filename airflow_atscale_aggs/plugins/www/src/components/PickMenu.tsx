import { Box, Button, Input, Popover, Portal, Text } from "@chakra-ui/react";
import { type KeyboardEvent, useRef, useState } from "react";
import { LuCheck, LuChevronDown } from "react-icons/lu";

import type { Choice } from "./FilterMenu";

type Props = {
  /** What is chosen: `Answered by`. */
  label: string;
  /** The value that is chosen; empty: any. */
  chosen: string;
  /** What is shown of it. */
  shown: string;
  /** What one may choose, as `search` leaves it. */
  choices: readonly Choice[];
  search: string;
  onSearch: (search: string) => void;
  onChange: (chosen: string) => void;
  /** What stands there without a choice that has the text in it. */
  empty: string;
};

/** The element before or after one that has the focus, among those that arrow keys move between. */
const move = (list: HTMLElement | null, step: number) => {
  const stops = [...(list?.querySelectorAll<HTMLElement>("input, button") ?? [])];
  const at = stops.indexOf(document.activeElement as HTMLElement);
  stops[Math.max(0, Math.min(stops.length - 1, at + step))]?.focus();
};

/** A filter with more choices than a menu can show: a button that tells what is chosen, and a list that one searches. */
export const PickMenu = (props: Props) => {
  const { label, chosen, shown, choices, search, onSearch, onChange, empty } = props;
  const [isOpen, setOpen] = useState(false);
  const content = useRef<HTMLDivElement>(null);
  const isSet = chosen !== "";
  const choose = (value: string) => {
    setOpen(false);
    onSearch("");
    onChange(value);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      move(content.current, step);
    } else if (
      event.key === "Enter" &&
      event.target instanceof HTMLInputElement &&
      choices[0] !== undefined
    ) {
      event.preventDefault();
      choose(choices[0].value);
    }
  };
  const offered = [...(search === "" ? [{ value: "", label: "any" }] : []), ...choices];
  return (
    <Popover.Root
      lazyMount
      onOpenChange={({ open }) => {
        setOpen(open);
      }}
      open={isOpen}
      positioning={{ placement: "bottom-start" }}
      unmountOnExit
    >
      <Popover.Trigger asChild>
        <Button
          borderColor={isSet ? "brand.emphasized" : undefined}
          colorPalette={isSet ? "brand" : "gray"}
          fontWeight="normal"
          maxW="20rem"
          px={{ base: 2, md: 4 }}
          size="sm"
          title={isSet ? `${label}: ${shown}` : undefined}
          variant={isSet ? "subtle" : "outline"}
        >
          {label}:{" "}
          <Text as="b" truncate>
            {isSet ? shown : "any"}
          </Text>
          <LuChevronDown aria-hidden />
        </Button>
      </Popover.Trigger>
      <Portal>
        <Popover.Positioner>
          <Popover.Content
            aria-label={label}
            maxW="min(22rem, 90vw)"
            onKeyDown={onKeyDown}
            ref={content}
            width="22rem"
          >
            <Box p={2}>
              <Input
                aria-label={`Search: ${label}`}
                onChange={(event) => {
                  onSearch(event.currentTarget.value);
                }}
                placeholder="Search"
                size="sm"
                value={search}
              />
            </Box>
            <Box as="ul" listStyleType="none" m={0} maxH="40vh" overflow="auto" p={1} pt={0}>
              {offered.map((choice) => (
                <li key={choice.value}>
                  <Button
                    aria-pressed={choice.value === chosen}
                    fontWeight="normal"
                    justifyContent="flex-start"
                    onClick={() => {
                      choose(choice.value);
                    }}
                    px={2}
                    size="sm"
                    title={choice.label}
                    variant="ghost"
                    width="100%"
                  >
                    <Box as="span" boxSize={4} flexShrink={0}>
                      {choice.value === chosen ? <LuCheck aria-hidden /> : null}
                    </Box>
                    <Text as="span" truncate>
                      {choice.label}
                    </Text>
                  </Button>
                </li>
              ))}
            </Box>
            {choices.length === 0 ? (
              <Text color="fg.muted" fontSize="sm" pb={3} px={3}>
                {empty}
              </Text>
            ) : null}
          </Popover.Content>
        </Popover.Positioner>
      </Portal>
    </Popover.Root>
  );
};
