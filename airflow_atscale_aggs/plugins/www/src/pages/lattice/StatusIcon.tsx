import { Box } from "@chakra-ui/react";

import { statusLook } from "src/components/statuses";

type Props = { status: string };

/** The icon of a status, in its colour. Its word stands beside it. */
export const StatusIcon = ({ status }: Props) => {
  const look = statusLook(status);
  const Icon = look.icon;
  return (
    <Box aria-hidden color={`${look.palette}.fg`}>
      <Icon />
    </Box>
  );
};
