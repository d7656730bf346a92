"""Our aggregates in the files of other routers: dbt, Lightdash, LookML and Ossie."""
