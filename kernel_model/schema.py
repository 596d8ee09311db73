"""The JSON schema of a comparison, generated from the result types so that it cannot say anything else.

``python -m kernel_model.schema`` prints it; ``kernel_model/schema.json`` is the committed copy, and a test compares.
"""

from pathlib import Path
from typing import Any

import msgspec

from kernel_model.results import SCHEMA_NAME, Report

__all__ = ["SCHEMA_FILE", "report_schema", "schema_text"]

SCHEMA_FILE = Path(__file__).with_name("schema.json")


def report_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the output of ``cfemu compare --json``."""
    schema = msgspec.json.schema(Report)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA_NAME.replace('/', ':')}",
        "title": "cfemu compare --json",
        **schema,
    }


def schema_text() -> str:
    """The schema as it is committed."""
    return msgspec.json.format(msgspec.json.encode(report_schema(), order="sorted"), indent=2).decode() + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")
