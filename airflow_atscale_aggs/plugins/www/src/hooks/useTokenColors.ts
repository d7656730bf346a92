import { useMemo, useSyncExternalStore } from "react";

const subscribe = (onChange: () => void) => {
  const observer = new MutationObserver(onChange);
  observer.observe(document.documentElement, { attributeFilter: ["class", "data-theme", "style"] });
  return () => {
    observer.disconnect();
  };
};

const mode = (): "dark" | "light" => (document.documentElement.classList.contains("dark") ? "dark" : "light");

/** The host's colour mode. Only for what cannot be said by semantic tokens, such as a canvas. */
export const useColorMode = (): "dark" | "light" => useSyncExternalStore(subscribe, mode);

/**
 * The values of semantic colours in the host's present mode, for charts, which draw on a canvas.
 *
 * @param tokens such as `success.solid`, `fg.muted` or `border`; a constant, not a new array each time.
 * @returns CSS colours by token; empty where the host does not know the token.
 */
export const useTokenColors = <Token extends string>(tokens: readonly Token[]): Record<Token, string> => {
  const colorMode = useColorMode();
  return useMemo(() => {
    // The same variables have other values in the other mode.
    void colorMode;
    const style = getComputedStyle(document.documentElement);
    const value = (token: Token) =>
      style.getPropertyValue(`--chakra-colors-${token.replaceAll(".", "-")}`).trim();
    return Object.fromEntries(tokens.map((token) => [token, value(token)])) as Record<Token, string>;
  }, [colorMode, tokens]);
};
