import { Box, Clipboard, IconButton } from "@chakra-ui/react";
import { useQuery } from "@tanstack/react-query";

import { SQL_COLORS } from "./sql_colors";

type Props = {
  sql: string;
  /** What it is, for those who hear the page: `SQL that builds sales_by_year`. */
  label: string;
  /** Whether it has line breaks already; else it is formatted. */
  isFormatted?: boolean;
  /** In CSS; what is longer is scrolled. */
  maxHeight?: string;
};

/** SQL in lines and colours, with a button that copies it. It is there as plain text until the colours are loaded. */
export const SqlBlock = ({ sql, label, isFormatted = false, maxHeight = "28rem" }: Props) => {
  const { data } = useQuery({
    queryKey: ["sql pieces", sql, isFormatted],
    queryFn: async () => {
      const { formatSql, sqlPieces } = await import("./sql_highlighting");
      const text = isFormatted ? sql : formatSql(sql);
      return { text, pieces: sqlPieces(text) };
    },
    staleTime: Infinity,
    gcTime: 60_000,
  });
  return (
    <Box borderRadius="md" borderWidth={1} position="relative">
      <Box
        aria-label={label}
        as="pre"
        bg="bg.subtle"
        borderRadius="md"
        css={SQL_COLORS}
        fontFamily="mono"
        fontSize="xs"
        lineHeight="1.6"
        m={0}
        maxHeight={maxHeight}
        overflow="auto"
        p={3}
        pe={12}
        role="region"
        tabIndex={0}
        whiteSpace="pre-wrap"
        wordBreak="break-word"
      >
        <code>
          {data === undefined
            ? sql
            : data.pieces.map((piece, index) => (
                <span className={piece.kind === "" ? undefined : piece.kind} key={index}>
                  {piece.text}
                </span>
              ))}
        </code>
      </Box>
      <Clipboard.Root insetEnd={2} position="absolute" top={2} value={data?.text ?? sql}>
        <Clipboard.Trigger asChild>
          <IconButton aria-label="Copy the SQL" size="xs" variant="subtle">
            <Clipboard.Indicator />
          </IconButton>
        </Clipboard.Trigger>
      </Clipboard.Root>
    </Box>
  );
};
