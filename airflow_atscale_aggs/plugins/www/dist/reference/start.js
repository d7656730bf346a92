// Shows the API's reference: Swagger UI over the description that lies beside this page.
const { document, fetch, location, URL } = globalThis;
const place = document.getElementById("reference");

try {
  const answer = await fetch("openapi.json");
  if (!answer.ok) {
    throw new Error(`The description of the API cannot be read: ${String(answer.status)}.`);
  }
  const description = await answer.json();
  globalThis.SwaggerUIBundle({
    // Airflow may stand below a path; what is tried out goes to where this page came from.
    spec: { ...description, servers: [{ url: new URL(".", location.href).pathname.replace(/\/$/, "") }] },
    domNode: place,
    deepLinking: true,
    docExpansion: "list",
    filter: true,
    syntaxHighlight: { activated: false },
    validatorUrl: null,
  });
} catch (error) {
  place.textContent = error instanceof Error ? error.message : String(error);
}
