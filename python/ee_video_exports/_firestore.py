"""Firestore documents in their REST form, as Python values."""

from __future__ import annotations

import base64
from datetime import datetime, timezone
from typing import Any, Callable, Sequence


def _timestamp(text: str) -> datetime:
    # Python before 3.11 cannot parse "Z", and no Python can parse nanoseconds.
    whole, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc)
    return moment.replace(microsecond=int((fraction + "000000")[:6]))


_decoders: dict[str, Callable[[Any], Any]] = {
    "nullValue": lambda _: None,
    "booleanValue": bool,
    "integerValue": int,
    "doubleValue": float,
    "timestampValue": _timestamp,
    "stringValue": str,
    "bytesValue": base64.b64decode,
    "referenceValue": str,
    "geoPointValue": dict,
    "arrayValue": lambda value: [decode_value(each) for each in value.get("values", [])],
    "mapValue": lambda value: decode_fields(value.get("fields", {})),
}


def decode_value(value: dict[str, Any]) -> Any:
    """Returns one value. Timestamps become datetimes in UTC."""
    (kind, content), *_ = value.items()
    return _decoders[kind](content)


def decode_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of a document or a map."""
    return {name: decode_value(value) for name, value in fields.items()}


def equals(field: str, value: str) -> dict[str, Any]:
    """Returns the condition that a field has this text."""
    return _condition(field, "EQUAL", value)


def contains(field: str, value: str) -> dict[str, Any]:
    """Returns the condition that a list contains this text."""
    return _condition(field, "ARRAY_CONTAINS", value)


def one_of(field: str, values: Sequence[str]) -> dict[str, Any]:
    """Returns the condition that a field has one of these texts."""
    texts = [{"stringValue": value} for value in values]
    return {"fieldFilter": {"field": {"fieldPath": field}, "op": "IN", "value": {"arrayValue": {"values": texts}}}}


def all_of(*conditions: dict[str, Any]) -> dict[str, Any]:
    """Returns the condition that all of the conditions hold."""
    return {"compositeFilter": {"op": "AND", "filters": list(conditions)}}


def any_of(*conditions: dict[str, Any]) -> dict[str, Any]:
    """Returns the condition that at least one of the conditions holds."""
    return {"compositeFilter": {"op": "OR", "filters": list(conditions)}}


def _condition(field: str, op: str, value: str) -> dict[str, Any]:
    return {"fieldFilter": {"field": {"fieldPath": field}, "op": op, "value": {"stringValue": value}}}
