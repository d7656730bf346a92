"""Lists every object type and property of SML 1.6 in a table, and checks documents against it.

A property reads ``name``, ``name!`` (expected: its absence is a warning) or ``name!!`` (needed: its absence is an
error), then ``:kind``. Kinds: text when nothing is said, ``bool``, ``number``, ``any``; ``[kind]`` a list, ``{kind}`` a
mapping of names, another shape by name; ``column`` a column's name, or the older mapping with a ``name``. Unknown keys
are kept and reported, because samples and newer versions have more keys than the reference.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_atscale_aggs.engine.errors import did_you_mean, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping
from airflow_atscale_aggs.engine.model.validation import IssueList

_COLUMN_OF_VALUE = "dataset!! name_column! key_columns!!:[column] sort_column:any"
_COMMON_ATTRIBUTE = (
    "unique_name!! label! description is_hidden:bool folder contains_unique_names:bool is_unique_key:bool "
    "exclude_from_dim_agg:bool exclude_from_fact_agg:bool is_aggregatable:bool allowed_calcs_for_dma:[text] "
    "custom_empty_member:custom_empty_member format"
)

_TEXT: dict[str, str] = {
    "catalog": "unique_name!! object_type!! label! version!:any as_version:any aggressive_agg_promotion:bool "
    "build_speculative_aggs:bool hidden_models:[text] dataset_properties:{dataset_properties} description",
    "dataset_properties": "allow_aggregates:bool allow_local_aggs:bool allow_peer_aggs:bool allow_preferred_aggs:bool "
    "create_hinted_aggregate:bool",
    "connection": "unique_name!! object_type!! label! as_connection! database schema description",
    "dataset": "unique_name!! object_type!! label! connection_id! table sql dialects:[dialect_sql] columns!:[dataset_column] "
    "incremental:incremental immutable:bool alternate:any qds_materialization:bool description",
    "dialect_sql": "dialect!! sql!!",
    "dataset_column": "name!! data_type sql dialects:[dialect_sql] map:map parent_column description label",
    "column_name": "name!! data_type period label",
    "map": "field_terminator! key_terminator! key_type! value_type! is_prefixed:bool",
    "incremental": "column!! grace_period!!",
    "dimension": "unique_name!! object_type!! label! type is_degenerate:bool hierarchies!:[hierarchy] "
    "level_attributes!:[level_attribute] relationships:[dimension_relationship] calculation_groups:[calculation_group] "
    "description modeler_metadata:any folder",
    "hierarchy": "unique_name!! label! description folder filter_empty default_member:default_member is_hidden:bool "
    "levels!!:[level]",
    "default_member": "expression!! apply_only_when_in_query:bool",
    "level": "unique_name!! secondary_attributes:[secondary_attribute] aliases:[alias] metrics:[metrical_attribute] "
    "parallel_periods:[parallel_period] is_hidden:bool",
    "parallel_period": "level!! key_columns!:[column] period data_type",
    "level_attribute": f"{_COMMON_ATTRIBUTE} {_COLUMN_OF_VALUE} time_unit shared_degenerate_columns:[shared_degenerate] "
    "constraint_translation_rank:number",
    "shared_degenerate": "dataset!! name_column! key_columns!!:[column] sort_column:any is_unique_key:bool",
    "custom_empty_member": "key:any name!:any sort_name:any",
    "secondary_attribute": f"{_COMMON_ATTRIBUTE} {_COLUMN_OF_VALUE} is_excel_pivot_table_property:bool "
    "is_user_defined_property:bool associated_hierarchy",
    "alias": f"{_COMMON_ATTRIBUTE} dataset!! name_column!! sort_column:any key_columns:[column]",
    "metrical_attribute": "unique_name!! label! dataset!! column!! calculation_method!! format folder description "
    "is_hidden:bool exclude_from_dim_agg:bool exclude_from_fact_agg:bool is_aggregatable:bool "
    "custom_empty_member:custom_empty_member unrelated_dimensions_handling allowed_calcs_for_dma:[text]",
    "dimension_relationship": "unique_name type!! from!!:relationship_from to!!:relationship_to role_play m2m:bool",
    "relationship": "unique_name!! from!!:relationship_from to!!:relationship_to role_play type "
    "constraint_translation:constraint_translation",
    "relationship_from": "dataset!! join_columns:[column] columns:[column] hierarchy level",
    "relationship_to": "dimension level row_security",
    "constraint_translation": "level!! from_columns!:[column]",
    "calculation_group": "unique_name!! label! calculated_members!:[calculated_member] description folder is_hidden:bool "
    "precedence:number",
    "calculated_member": "unique_name!! template expression format use_input_metric_format:bool is_hidden:bool description "
    "label",
    "metric": "unique_name!! object_type!! label! calculation_method!! dataset!! column!! semi_additive:semi_additive "
    "compression:number named_quantiles custom_quantiles:[any] unrelated_dimensions_handling format is_hidden:bool "
    "description folder visible:bool",
    "semi_additive": "position!! relationships:any degenerate_dimensions:[degenerate_level]",
    "degenerate_level": "name!! level",
    "metric_calc": "unique_name!! object_type!! label! expression!! description format is_hidden:bool folder "
    "mdx_aggregation_function mdx_aggregate_function visible:bool",
    "model": "unique_name!! object_type!! label! relationships!:[relationship] metrics!:[metric_reference] "
    "dimensions:[text] aggregates:[aggregate] partitions:[partition] dataset_properties:{dataset_properties} "
    "overrides:{override} perspectives:[perspective] drillthroughs:[drillthrough] include_default_drillthrough:bool "
    "visible:bool description",
    "metric_reference": "unique_name!! folder",
    "aggregate": "unique_name!! label! metrics:[text] attributes:[aggregate_attribute] caching description target_connection",
    "aggregate_attribute": "name!! dimension row_security relationships_path:[text] partition distribution "
    "partition_rank:number distribution_rank:number",
    "partition": "unique_name!! dimension!! attribute!! type! relationships_path:[text] prefixes:any",
    "override": "query_name!!",
    "perspective": "unique_name!! metrics:[text] dimensions:[perspective_dimension]",
    "perspective_dimension": "name!! hierarchies:[perspective_hierarchy] secondary_attributes:[text] "
    "secondaryattributes:[text] visible:bool "
    "relationships_path:[text]",
    "perspective_hierarchy": "name!! level levels:any",
    "drillthrough": "unique_name!! metrics:[text] attributes:[drillthrough_attribute] notes",
    "drillthrough_attribute": "name!! dimension relationships_path:[text]",
    "composite_model": "unique_name!! object_type!! label! models!!:[text] description metrics:[metric_reference] "
    "aggregates:[aggregate]",
    "row_security": "unique_name!! object_type!! label! dataset!! filter_key_column!! ids_column!! id_type!! scope!! "
    "description use_filter_key:bool secure_totals:bool",
    "aggregate_settings": "unique_name!! object_type!! model!! settings!!:any label description",
    "model_settings": "object_type!! unique_name label description overrides:any settings:any",
    "global_settings": "object_type!! unique_name label description overrides:any settings:any",
    "package_file": "version!:any packages!!:[package]",
    "package": "name!! url branch version:any",
}

OBJECT_TYPES = frozenset(
    {
        "catalog",
        "connection",
        "dataset",
        "dimension",
        "metric",
        "metric_calc",
        "model",
        "composite_model",
        "row_security",
        "aggregate_settings",
        "model_settings",
        "global_settings",
    }
)
"""Values of ``object_type``; ``aggregate_settings`` is ours: product settings of one model, kept beside its SML.

``model_settings`` and ``global_settings`` stand in repositories of the product and in no reference.
"""

CALCULATION_METHODS = frozenset(
    {
        "sum",
        "count non-null",
        "minimum",
        "maximum",
        "average",
        "stddev_samp",
        "stddev_pop",
        "var_samp",
        "var_pop",
        "count distinct",
        "sum distinct",
        "estimated count distinct",
        "percentile",
    }
)
"""Values of ``calculation_method``."""

_EFFECTS = {("dataset", "connection_id"): ": its table is looked for in the warehouse's default schema"}
"""What the lack of a key means, where that is not plain."""

_OBSOLETE = {("aggregate", "target_connection")}


@dataclass(frozen=True, slots=True)
class Property:
    """What the table says about one key."""

    kind: str
    is_expected: bool
    is_needed: bool


def _parse_table(text: str) -> dict[str, Property]:
    table: dict[str, Property] = {}
    for item in text.split():
        name, _, kind = item.partition(":")
        table[name.rstrip("!")] = Property(kind or "text", name.endswith("!"), name.endswith("!!"))
    return table


SHAPES: Mapping[str, Mapping[str, Property]] = {name: _parse_table(text) for name, text in _TEXT.items()}
"""Properties by shape; the top-level shapes are the object types."""

_EXPECTED: Mapping[str, Mapping[str, Property]] = {
    shape: {key: spec for key, spec in table.items() if spec.is_expected} for shape, table in SHAPES.items()
}


def check_document(document: SmlMapping, shape: str, file: str, issues: IssueList) -> bool:
    """Compare a mapping with its shape; False when something in it is so wrong that it cannot be used."""
    return _check_mapping(document, shape, file, issues, _name_of(document, shape))


def _check_mapping(mapping: SmlMapping, shape: str, file: str, issues: IssueList, what: str) -> bool:
    table = SHAPES[shape]
    where = f"{file}:{mapping.line}"
    usable = True
    for key in mapping.duplicates:
        issues.error(where, "duplicate-key", f"{what} has the key `{key}` twice")
    for key, value in mapping.items():
        spec = table.get(key)
        if spec is None:
            hint = did_you_mean(near_names(key, table))
            issues.warning(where, "unknown-key", f"{what} has the unknown key `{key}`, which is ignored.{hint}")
        elif (shape, key) in _OBSOLETE:
            issues.warning(file, "obsolete-key", f"the key `{key}` is obsolete and ignored")
        elif value is not None and not (spec.kind == "text" and isinstance(value, str)):
            # Most values are texts. Whoever checks them would be told what they are, which takes longer than to look.
            usable &= _check_value(value, spec.kind, file, issues, f"`{key}` of {what}", where)
    for key, spec in _EXPECTED[shape].items():
        if mapping.get(key) is None and not _is_excused(mapping, shape, key):
            if spec.is_needed:
                issues.error(where, "missing-key", f"{what} lacks `{key}`")
                usable = False
            else:
                effect = _EFFECTS.get((shape, key), "")
                issues.warning(where, "missing-key", f"{what} lacks `{key}`{effect}")
    return usable


def _check_value(value: object, kind: str, file: str, issues: IssueList, what: str, where: str) -> bool:
    if kind == "any":
        return True
    if kind.startswith(("[", "{")):
        return _check_items(value, kind, file, issues, what, where)
    if kind == "column":
        kind = "column_name" if isinstance(value, SmlMapping) else "text"
    if kind in SHAPES:
        if isinstance(value, SmlMapping):
            return _check_mapping(value, kind, file, issues, _name_of(value, kind) if "unique_name" in value else what)
        issues.error(where, "wrong-kind", f"{what} must be a mapping, not {_kind_name(value)}")
        return False
    if value is None or isinstance(value, (list, dict)):
        issues.error(where, "wrong-kind", f"{what} must be {_A_KIND[kind]}, not {_kind_name(value)}")
        return False
    is_right = kind == "text" or (kind == "bool" and isinstance(value, bool)) or kind == "number"
    if not is_right:
        issues.warning(where, "wrong-kind", f"{what} must be {_A_KIND[kind]}, not `{value}`")
    return True


def _check_items(value: object, kind: str, file: str, issues: IssueList, what: str, where: str) -> bool:
    """Every item of a list or mapping."""
    inner = kind[1:-1]
    if kind[0] == "[":
        if not isinstance(value, list):
            issues.error(where, "wrong-kind", f"{what} must be a list, not {_kind_name(value)}")
            return False
        what = f"an item of {what}"
        results = [_check_value(item, inner, file, issues, what, where) for item in value]
        return all(results)
    if not isinstance(value, SmlMapping):
        issues.error(where, "wrong-kind", f"{what} must be a mapping, not {_kind_name(value)}")
        return False
    results = [
        _check_value(item, inner, file, issues, f"`{key}` in {what}", where)
        for key, item in value.items()
        if item is not None
    ]
    return all(results)


_A_KIND = {"text": "a text", "bool": "true or false", "number": "a number"}


def _is_excused(mapping: SmlMapping, shape: str, key: str) -> bool:
    """Keys that another key replaces."""
    if shape == "level_attribute" and mapping.get("shared_degenerate_columns"):
        return key in {"dataset", "name_column", "key_columns"}
    if shape == "custom_empty_member":
        # A name that is null is said: rows without a member are shown under NULL.
        return key == "name" and "name" in mapping
    return shape == "catalog" and key == "version" and "as_version" in mapping


def _name_of(mapping: SmlMapping, shape: str) -> str:
    name = mapping.get("unique_name") or mapping.get("name")
    kind = shape.replace("_", " ")
    return f"{kind} `{name}`" if name else f"a {kind}"


def _kind_name(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, dict) else f"`{value}`"
