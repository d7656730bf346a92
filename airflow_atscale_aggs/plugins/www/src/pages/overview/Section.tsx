import { Box, Heading, HStack, Spacer } from "@chakra-ui/react";
import type { ReactNode } from "react";

type Props = { title: string; aside?: ReactNode; children: ReactNode };

/** A part of the overview under its title. */
export const Section = ({ title, aside, children }: Props) => (
  <Box
    aria-label={title}
    as="section"
    bg="bg.panel"
    borderRadius="md"
    borderWidth={1}
    display="flex"
    flexDirection="column"
    height="100%"
    minW={0}
    p={4}
  >
    <HStack flexWrap="wrap" gap={2} mb={3} minH={8}>
      <Heading as="h2" size="sm">
        {title}
      </Heading>
      <Spacer />
      {aside}
    </HStack>
    {children}
  </Box>
);
