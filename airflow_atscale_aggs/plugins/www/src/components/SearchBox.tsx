import { CloseButton, Input, InputGroup, Kbd } from "@chakra-ui/react";
import { useEffect, useRef, useState } from "react";
import { LuSearch } from "react-icons/lu";

type Props = {
  /** What is searched: `Search names of definitions`. */
  label: string;
  value: string;
  /** Is told a moment after the last key, and at once when the box is emptied. */
  onChange: (value: string) => void;
};

const PAUSE_MILLISECONDS = 250;

const isTyping = (target: EventTarget | null) =>
  target instanceof Element &&
  target.closest("input, textarea, select, [contenteditable=true], [role=dialog]");

/** Finds as one types; the key `/` goes to it. */
export const SearchBox = ({ label, value, onChange }: Props) => {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  // What was told and has not come back: the address changes later than we tell, while one may be typing on.
  const [told, setTold] = useState<string[]>([]);
  const input = useRef<HTMLInputElement>(null);

  // What the address says wins when it changes by itself: by the browser's Back, or a button that clears it.
  if (value !== seen) {
    setSeen(value);
    setTold(told.slice(told.indexOf(value) + 1));
    if (!told.includes(value)) {
      setText(value);
    }
  }

  useEffect(() => {
    if (text === value) {
      return undefined;
    }
    const timer = setTimeout(() => {
      setTold((before) => [...before, text]);
      onChange(text);
    }, PAUSE_MILLISECONDS);
    return () => {
      clearTimeout(timer);
    };
  }, [text, value, onChange]);

  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target)) {
        event.preventDefault();
        input.current?.focus();
      }
    };
    document.addEventListener("keydown", focus);
    return () => {
      document.removeEventListener("keydown", focus);
    };
  }, []);

  return (
    <InputGroup
      endElement={
        text === "" ? (
          <Kbd aria-hidden size="sm">
            /
          </Kbd>
        ) : (
          <CloseButton
            aria-label="Clear the search"
            me={-2}
            onClick={() => {
              setText("");
              onChange("");
              input.current?.focus();
            }}
            size="2xs"
          />
        )
      }
      maxW={{ md: "20rem" }}
      startElement={<LuSearch aria-hidden />}
    >
      <Input
        aria-keyshortcuts="/"
        aria-label={label}
        onChange={(event) => {
          setText(event.currentTarget.value);
        }}
        placeholder={label}
        ref={input}
        size="sm"
        value={text}
      />
    </InputGroup>
  );
};
