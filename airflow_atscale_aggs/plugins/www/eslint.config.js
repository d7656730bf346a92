import js from "@eslint/js";
import jsxA11y from "eslint-plugin-jsx-a11y";
import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "node_modules", "src/api/schema.d.ts"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  ...tseslint.configs.stylistic,
  jsxA11y.flatConfigs.strict,
  reactHooks.configs.flat["recommended-latest"],
  {
    rules: {
      "@typescript-eslint/consistent-type-definitions": ["error", "type"],
      "@typescript-eslint/consistent-type-imports": "error",
      // TanStack's virtualizer returns functions that cannot be memoized; its rows are drawn anew as one scrolls.
      "react-hooks/incompatible-library": "off",
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-console": "error",
    },
  },
  {
    // What is shown as a number is written in one place, so that all numbers look alike.
    files: ["src/**"],
    ignores: ["src/utils/numbers.ts"],
    rules: {
      "no-restricted-properties": [
        "error",
        ...["toFixed", "toLocaleString", "toPrecision"].map((property) => ({
          property,
          message: "Take a function of src/utils/numbers.ts.",
        })),
        { object: "Intl", property: "NumberFormat", message: "Take a function of src/utils/numbers.ts." },
      ],
    },
  },
);
