"""The paths that AtScale publishes for its REST API, as a second face over the same functions: `docs/rest-api.md`."""
