"""Which service to use: from arguments, from variables, or from the contexts of the command line.

The rules are those of the command line, so that a notebook and a terminal use the same service. `npm start` writes the context
`local`, and `npx ee-video-exports context use` writes others.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Mapping

from ._errors import ConfigurationError

# The variables that say which service it is. One of them is enough to ignore the contexts.
_ADDRESSES = (
    "GOOGLE_CLOUD_PROJECT",
    "FIRESTORE_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
    "EARTHENGINE_EMULATOR_HOST",
)


def choose_service(
    variables: Mapping[str, str], *, project: str | None = None, context: str | None = None
) -> Mapping[str, str]:
    """Returns the variables that lead to the service.

    In this order: ``context``, ``project``, the variables, the context in use. A context is used as a whole or not at all: a
    project of the environment with the emulators of a context would be a third service.

    Raises:
        ConfigurationError: There is no service, or the settings contradict each other.
    """
    if context is not None and project is not None:
        raise ConfigurationError("Give either context or project, not both.")
    if context is not None:
        chosen = _from_context(variables, context, _read_contexts(variables))
    elif project is not None:
        chosen = {**variables, "GOOGLE_CLOUD_PROJECT": project}
    elif any(variables.get(name) for name in _ADDRESSES):
        chosen = variables
    else:
        contexts = _read_contexts(variables)
        current = contexts.get("current")
        chosen = variables if current is None else _from_context(variables, current, contexts)
    _refuse_half_local(chosen)
    if not chosen.get("GOOGLE_CLOUD_PROJECT"):
        raise ConfigurationError(
            "No service is chosen: start one with npm start, choose one with `npx ee-video-exports context use`, set "
            "GOOGLE_CLOUD_PROJECT, or use Client(project=...)."
        )
    return chosen


def _from_context(variables: Mapping[str, str], name: str, contexts: Any) -> Mapping[str, str]:
    context = contexts["contexts"].get(name)
    if context is None:
        known = ", ".join(sorted(contexts["contexts"])) or "none"
        raise ConfigurationError(f"There is no context {name}. Known contexts: {known}.")
    others = {key: value for key, value in variables.items() if value and key not in _ADDRESSES}
    return {**_variables_of(name, context), **others}


def _variables_of(name: str, context: Any) -> Mapping[str, str]:
    if context["kind"] == "project":
        database = context.get("database")
        return {
            "GOOGLE_CLOUD_PROJECT": context["project"],
            **({} if database is None else {"FIRESTORE_DATABASE": database}),
        }
    running = context.get("running")
    if running is None:
        raise ConfigurationError(
            f"The service of the context {name} is not running. Start it with npm start, or choose another one with "
            "`npx ee-video-exports context use`."
        )
    if running.get("embedded"):
        raise ConfigurationError(
            "The service on this machine runs without Google's emulators, so only the command line can reach it. Install "
            "the emulators (README.md, Try it), and start it again."
        )
    found: Mapping[str, str] = running["environment"]
    return found


def _refuse_half_local(variables: Mapping[str, str]) -> None:
    firestore, pubsub = variables.get("FIRESTORE_EMULATOR_HOST"), variables.get("PUBSUB_EMULATOR_HOST")
    if bool(firestore) == bool(pubsub) and (firestore or not variables.get("EARTHENGINE_EMULATOR_HOST")):
        return
    emulators = _ADDRESSES[1:]
    found = " and ".join(name for name in emulators if variables.get(name))
    missing = " and ".join(name for name in emulators[:2] if not variables.get(name))
    raise ConfigurationError(
        f"Only {found} is set, so part of each call would reach a real project. Set {missing} too, or unset {found}."
    )


def _contexts_file(variables: Mapping[str, str]) -> Path | None:
    config, home, windows = (variables.get(name) for name in ("XDG_CONFIG_HOME", "HOME", "APPDATA"))
    # The specification requires that a relative path is ignored.
    if config and os.path.isabs(config):
        base = Path(config)
    elif windows:
        base = Path(windows)
    elif home:
        base = Path(home) / ".config"
    else:
        return None
    return base / "ee-video-exports" / "contexts.json"


def _read_contexts(variables: Mapping[str, str]) -> Any:
    file = _contexts_file(variables)
    try:
        text = None if file is None else file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        text = None
    except (OSError, ValueError) as error:
        raise _unreadable(file) from error
    if text is None:
        return {"contexts": {}}
    try:
        contexts = json.loads(text)
        for context in contexts["contexts"].values():
            if context["kind"] == "project":
                context["project"]
            elif context.get("running") is not None:
                context["running"]["environment"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(file) from error
    return contexts


def _unreadable(file: Path | None) -> ConfigurationError:
    return ConfigurationError(f"Cannot read the contexts in {file}. Fix or delete the file.")
