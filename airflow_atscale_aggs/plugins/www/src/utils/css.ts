/** Put a style sheet into the page once; for libraries that bring one, loaded with the part that needs it. */
export const injectCss = (id: string, css: string): void => {
  if (document.getElementById(id) === null) {
    const style = document.createElement("style");
    style.id = id;
    style.textContent = css;
    document.head.append(style);
  }
};
