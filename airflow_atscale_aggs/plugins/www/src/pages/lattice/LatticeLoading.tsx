import { Box, Skeleton } from "@chakra-ui/react";

type Props = { label: string };

/** What stands where the lattice will be. */
export const LatticeLoading = ({ label }: Props) => (
  <Box aria-busy aria-label={label} height="100%" role="status">
    <Skeleton aria-hidden height="100%" />
  </Box>
);
