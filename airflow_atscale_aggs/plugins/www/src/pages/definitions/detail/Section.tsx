import { Box, Heading, Text } from "@chakra-ui/react";
import { type ReactNode, useId } from "react";

type Props = { title: string; help?: ReactNode; children: ReactNode };

/** A part of the drawer, with a heading. */
export const Section = ({ title, help, children }: Props) => {
  const id = useId();
  return (
    <Box aria-labelledby={id} as="section">
      <Heading as="h3" fontSize="sm" id={id} mb={2}>
        {title}
      </Heading>
      {help === undefined ? null : (
        <Text color="fg.muted" fontSize="xs" mb={2} mt={-1}>
          {help}
        </Text>
      )}
      {children}
    </Box>
  );
};
