"""Makes the request of a job message from what the Earth Engine client builds."""

from __future__ import annotations

import re
from typing import Any, Mapping

_UNSAFE = re.compile(r"[^A-Za-z0-9._,:;-]+")
_MAX_DESCRIPTION = 60


def build_request(task_or_collection: Any, job_key: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns Earth Engine's ExportVideoRequest as JSON.

    Args:
        task_or_collection: A task of ``ee.batch.Export.video`` that was not started, a collection of frames, or a request as a
            dictionary.
        job_key: Names the task of a collection, unless the options do.
        options: For a collection, the arguments of ``ee.batch.Export.video.toCloudStorage``, such as bucket and region.

    Raises:
        TypeError: It is a task that exports something else, or options were given with a task or a request.
    """
    if isinstance(task_or_collection, Mapping):
        _accept_no(options, "a request")
        request = dict(task_or_collection)
    elif isinstance(getattr(task_or_collection, "config", None), Mapping):
        _accept_no(options, "a task")
        request = _from_task(task_or_collection)
    else:
        import ee

        named = {"description": _UNSAFE.sub("-", job_key)[:_MAX_DESCRIPTION], **options}
        request = _from_task(ee.batch.Export.video.toCloudStorage(collection=task_or_collection, **named))
    if not isinstance(request.get("expression"), Mapping):
        import ee

        request["expression"] = ee.serializer.encode(request["expression"], for_cloud_api=True)
    return request


def _from_task(task: Any) -> dict[str, Any]:
    kind = getattr(task.task_type, "value", task.task_type)
    if kind != "EXPORT_VIDEO":
        raise TypeError(f"found a task of type {kind}; allowed: a task of ee.batch.Export.video")
    request = dict(task.config)
    # The client adds the tag when it starts the task. It is an empty text if there is none.
    tag = getattr(task, "workload_tag", None)
    if tag:
        request.setdefault("workloadTag", tag)
    return request


def _accept_no(options: Mapping[str, Any], source: str) -> None:
    if options:
        names = ", ".join(sorted(options))
        raise TypeError(f"{names} cannot be given with {source}, which has its own; pass a collection instead")
