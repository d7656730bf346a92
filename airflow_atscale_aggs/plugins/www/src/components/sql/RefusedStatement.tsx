import { Box, chakra } from "@chakra-ui/react";

import { splitError } from "src/utils/errors";

import { SqlBlock } from "./SqlBlock";

type Props = {
  /** With the statement at its end. */
  error: string;
  /** What was to be made by it: an aggregate's name. */
  of: string;
};

/** The statement that the warehouse refused, for those who want to see it; nothing where the error has none. */
export const RefusedStatement = ({ error, of }: Props) => {
  const { sql } = splitError(error);
  return sql === "" ? null : (
    <Box as="details" fontSize="sm" mt={1}>
      <chakra.summary
        _focusVisible={{ outline: "2px solid", outlineColor: "brand.focusRing" }}
        cursor="pointer"
        width="fit-content"
      >
        The statement that was refused
      </chakra.summary>
      <Box bg="bg.panel" borderRadius="md" color="fg" mt={2}>
        <SqlBlock label={`Refused statement of ${of}`} maxHeight="16rem" sql={sql} />
      </Box>
    </Box>
  );
};
