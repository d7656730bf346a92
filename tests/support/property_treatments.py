"""Says for each property of SML whether it is honoured, refused by name, or harmless. `engine/model/sml.py` lists the properties.

``name`` stands for an honoured property: an answer, an aggregate or a message depends on it. ``name!reason`` stands for a
refused one: deploy says so, and a query that needs it is refused by name. ``name=reason`` stands for a harmless one: no
answer depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Treatment(StrEnum):
    """How the engine treats a property."""

    HONOURED = "honoured"
    REFUSED = "refused"
    HARMLESS = "harmless"


@dataclass(frozen=True, slots=True)
class PropertyTreatment:
    """How the engine treats one property, and the reason. Honoured properties need no reason."""

    treatment: Treatment
    reason: str = ""


_REASONS: Mapping[str, str] = {
    "shown": "it tells people or tools how something is named, grouped or formatted, and changes no value",
    "mdx": "it is about the order or the properties of members in MDX; on the SQL surface a query says its order itself",
    "proven": "keys and names are asked of the data, which must prove what a plan relies on",
    "one_store": "aggregates are made in the warehouse of their facts, and nowhere else",
    "layout": "it is about how a table is laid out on disk, which changes no value",
    "pruning": "it lets the product read fewer partitions of a fact, which changes no value",
    "engine": "it steers how the product's own engine chooses or caches aggregates",
    "drill": "it lists columns for a click in a tool; a query names its columns itself",
    "version": "properties are known by their names, whatever version is written",
    "exact": "percentiles are computed from the facts exactly, so there is no sketch to size",
    "set": "a set's value of a calculated metric is refused by name, so there are no values to bring together",
    "storage": "it keeps a metric out of system-defined aggregates, which changes no value",
    "relationship": "the level that a relationship starts from is what counts",
    "hierarchies": "time and standard dimensions are read alike; forms of time need a hierarchy only",
    "calendar": "periods are found by the order of their keys and by `parallel_periods`",
    "listed": "a model lists its degenerate dimensions, which is what counts",
    "typed": "types are those that the warehouse tells",
    "group": "calculation groups are not applied; queries that name one or its members are refused",
    "map": "columns that are taken out of a map column are refused by name; a calculated column says the same",
    "alternate": "the reference does not say when it is meant; the dataset's own table or query is read",
    "joined": "whether keys are looked up first or joined, the same rows are seen",
    "named": "an aggregate names the secured attribute itself; naming the object is an error that says so",
    "degenerate": "a metric that is semi-additive over degenerate dimensions is refused by name",
    "obsolete": "the product itself ignores it",
}

_ATTRIBUTE = (
    "unique_name label description=shown is_hidden folder=shown contains_unique_names=proven is_unique_key=proven "
    "exclude_from_dim_agg exclude_from_fact_agg is_aggregatable allowed_calcs_for_dma=engine custom_empty_member "
    "format=shown"
)
_COLUMNS = "dataset name_column key_columns sort_column=mdx"

_TEXT: Mapping[str, str] = {
    "catalog": "unique_name object_type label=shown version=version as_version=version aggressive_agg_promotion=engine "
    "build_speculative_aggs hidden_models dataset_properties description=shown",
    "dataset_properties": "allow_aggregates allow_local_aggs allow_peer_aggs=one_store allow_preferred_aggs=one_store "
    "create_hinted_aggregate=engine",
    "connection": "unique_name object_type label=shown as_connection database schema description=shown",
    "dataset": "unique_name object_type label=shown connection_id table sql dialects columns incremental immutable "
    "alternate!alternate qds_materialization=engine description=shown",
    "dialect_sql": "dialect sql",
    "dataset_column": "name data_type sql dialects map!map parent_column!map description=shown label=shown",
    "map": "field_terminator!map key_terminator!map key_type!map value_type!map is_prefixed!map",
    "column_name": "name data_type=typed period=calendar label=shown",
    "incremental": "column grace_period",
    "dimension": "unique_name object_type label type=hierarchies is_degenerate=listed hierarchies level_attributes relationships "
    "calculation_groups!group description=shown modeler_metadata=shown folder=shown",
    "hierarchy": "unique_name label=shown description=shown folder=shown filter_empty default_member is_hidden levels",
    "default_member": "expression apply_only_when_in_query",
    "level": "unique_name secondary_attributes aliases metrics parallel_periods is_hidden",
    "parallel_period": "level key_columns period=calendar data_type=typed",
    "level_attribute": f"{_ATTRIBUTE} {_COLUMNS} time_unit=calendar shared_degenerate_columns constraint_translation_rank=pruning",
    "shared_degenerate": "dataset name_column key_columns sort_column=mdx is_unique_key=proven",
    "custom_empty_member": "key name sort_name=mdx",
    "secondary_attribute": f"{_ATTRIBUTE} {_COLUMNS} is_excel_pivot_table_property=mdx is_user_defined_property=mdx "
    "associated_hierarchy=mdx",
    "alias": f"{_ATTRIBUTE} {_COLUMNS}",
    "metrical_attribute": "unique_name label dataset column calculation_method format=shown folder=shown description=shown "
    "is_hidden exclude_from_dim_agg=storage exclude_from_fact_agg=storage is_aggregatable=mdx custom_empty_member=mdx "
    "unrelated_dimensions_handling allowed_calcs_for_dma=engine",
    "dimension_relationship": "unique_name type from to role_play m2m",
    "relationship": "unique_name from to role_play type=relationship constraint_translation=pruning",
    "relationship_from": "dataset join_columns columns hierarchy=relationship level",
    "relationship_to": "dimension level row_security",
    "constraint_translation": "level=pruning from_columns=pruning",
    "calculation_group": "unique_name!group label!group calculated_members!group description=shown folder=shown "
    "is_hidden=shown precedence!group",
    "calculated_member": "unique_name!group template!group expression!group format=shown use_input_metric_format=shown "
    "is_hidden=shown description=shown label=shown",
    "metric": "unique_name object_type label calculation_method dataset column semi_additive compression=exact "
    "named_quantiles custom_quantiles unrelated_dimensions_handling format=shown is_hidden description=shown "
    "folder=shown "
    "visible",
    "semi_additive": "position relationships degenerate_dimensions!degenerate",
    "degenerate_level": "name!degenerate level!degenerate",
    "metric_calc": "unique_name object_type label expression description=shown format=shown is_hidden folder=shown "
    "mdx_aggregation_function=set mdx_aggregate_function=set visible",
    "model": "unique_name object_type label=shown relationships metrics dimensions aggregates partitions=layout "
    "dataset_properties overrides perspectives drillthroughs=drill include_default_drillthrough=drill visible=shown "
    "description=shown",
    "metric_reference": "unique_name folder=shown",
    "aggregate": "unique_name label metrics attributes caching=engine description=shown target_connection!obsolete",
    "aggregate_attribute": "name dimension row_security!named relationships_path partition=layout distribution=layout "
    "partition_rank=layout distribution_rank=layout",
    "partition": "unique_name=layout dimension=layout attribute=layout type=layout relationships_path=layout prefixes=layout",
    "override": "query_name",
    "perspective": "unique_name metrics dimensions",
    "perspective_dimension": "name hierarchies secondary_attributes secondaryattributes relationships_path visible",
    "perspective_hierarchy": "name level levels",
    "drillthrough": "unique_name=drill metrics=drill attributes=drill notes=drill",
    "drillthrough_attribute": "name=drill dimension=drill relationships_path=drill",
    "composite_model": "unique_name object_type label=shown models description=shown metrics aggregates",
    "row_security": "unique_name object_type label=shown dataset filter_key_column ids_column id_type scope "
    "description=shown use_filter_key=joined secure_totals",
    "aggregate_settings": "unique_name=shown object_type model settings label=shown description=shown",
    "model_settings": "object_type unique_name=shown label=shown description=shown overrides settings",
    "global_settings": "object_type unique_name=shown label=shown description=shown overrides=engine settings",
    "package_file": "version=version packages",
    "package": "name url branch version",
}


def _parse_treatment(text: str) -> tuple[str, PropertyTreatment]:
    for mark, treatment in (("!", Treatment.REFUSED), ("=", Treatment.HARMLESS)):
        name, sign_there, reason = text.partition(mark)
        if sign_there:
            return name, PropertyTreatment(treatment, _REASONS[reason])
    return text, PropertyTreatment(Treatment.HONOURED)


PROPERTY_TREATMENTS: Mapping[str, Mapping[str, PropertyTreatment]] = {
    shape: dict(_parse_treatment(text) for text in texts.split()) for shape, texts in _TEXT.items()
}
"""The treatment of each property, by shape."""
