"""What a converter hands back."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.findings import Finding
from airflow_atscale_aggs.engine.converting.sml_objects import SmlObject, sml_texts
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A folder of SML.

    Attributes:
        texts: by path below the folder.
        findings: what became of each construct.
    """

    model: str
    texts: dict[str, str]
    findings: tuple[Finding, ...]


def as_folder(
    model: dict[str, object], objects: list[SmlObject], source: str, findings: tuple[Finding, ...]
) -> Converted:
    """A catalog and one model around the objects that it refers to.

    Args:
        model: of SML, without its name's type and label, which are put before the rest.
        source: a sentence of where all of it is from.
    """
    name = str(model["unique_name"])
    catalog = {
        "unique_name": f"{name}_catalog",
        "object_type": "catalog",
        "label": name,
        "version": 1.6,
        "aggressive_agg_promotion": False,
        "build_speculative_aggs": False,
    }
    shown = {"unique_name": name, "object_type": "model", "label": name, **model}
    advice = "Add `aggregates`, or let `atscale-aggs recommend` propose some."
    everything = [SmlObject(catalog, (source,)), *objects, SmlObject(shown, (source, advice))]
    return Converted(model=name, texts=sml_texts(everything), findings=findings)
