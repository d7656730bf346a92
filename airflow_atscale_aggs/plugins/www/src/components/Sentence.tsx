import { Code } from "@chakra-ui/react";

type Props = { text: string };

/** A sentence of the server, in which names stand between backquotes: those are set as code. */
export const Sentence = ({ text }: Props) =>
  text.split("`").map((part, index, parts) =>
    // Every second part stands between two backquotes; one without a partner is a backquote.
    index % 2 === 1 && index < parts.length - 1 ? (
      <Code bg="transparent" borderWidth={1} color="inherit" fontSize="0.9em" key={index} px={1} size="sm">
        {part}
      </Code>
    ) : (
      <span key={index}>
        {index % 2 === 1 ? "`" : ""}
        {part}
      </span>
    ),
  );
