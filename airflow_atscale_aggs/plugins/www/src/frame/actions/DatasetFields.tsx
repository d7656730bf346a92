import { Field, Input, SimpleGrid } from "@chakra-ui/react";

type Props = {
  datasets: readonly string[];
  /** As they were typed, by dataset. */
  values: Readonly<Record<string, string>>;
  onChange: (values: Record<string, string>) => void;
  placeholder: string;
  /** What a field is called where its dataset alone does not say it. */
  nameOf?: (dataset: string) => string;
};

/** A text for each fact dataset. */
export const DatasetFields = ({ datasets, values, onChange, placeholder, nameOf }: Props) => (
  <SimpleGrid columns={{ base: 1, sm: 2 }} gap={3}>
    {datasets.map((dataset) => (
      <Field.Root key={dataset}>
        <Field.Label>{dataset}</Field.Label>
        <Input
          aria-label={nameOf?.(dataset)}
          onChange={(event) => {
            onChange({ ...values, [dataset]: event.currentTarget.value });
          }}
          placeholder={placeholder}
          size="sm"
          value={values[dataset] ?? ""}
        />
      </Field.Root>
    ))}
  </SimpleGrid>
);
