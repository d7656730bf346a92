import { Checkbox } from "@chakra-ui/react";

type Props = { label: string; isTicked: boolean; isPart?: boolean; onChange: () => void };

/** A box that one ticks, with a label for those who hear the page. */
export const SelectBox = ({ label, isTicked, isPart = false, onChange }: Props) => (
  <Checkbox.Root checked={isPart ? "indeterminate" : isTicked} onCheckedChange={onChange} size="sm">
    <Checkbox.HiddenInput aria-label={label} />
    <Checkbox.Control />
  </Checkbox.Root>
);
