"""Calls Google Cloud's REST APIs with the standard library, and the emulators without credentials."""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from typing import Any, Callable, Protocol

from ._errors import ConfigurationError, ServiceError

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_TIMEOUT_SECONDS = 60
_TRIES = 5
_TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


class Credentials(Protocol):
    """The part of google.auth.credentials.Credentials that is used."""

    valid: bool
    token: Any
    quota_project_id: Any

    def refresh(self, request: Any) -> None: ...


def default_credentials() -> Credentials:
    """Returns the application default credentials.

    Raises:
        ConfigurationError: There are none.
    """
    try:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError
    except ImportError as error:
        raise ConfigurationError("Install google-auth, or earthengine-api, which includes it.") from error
    try:
        credentials, _ = google.auth.default(scopes=_SCOPES)
    except DefaultCredentialsError as error:
        raise ConfigurationError("Run `gcloud auth application-default login` first.") from error
    found: Credentials = credentials
    return found


class RestClient:
    """Sends JSON and receives JSON.

    Every call is safe to repeat: reads change nothing, and a job that is published twice runs once. So transient errors are
    retried, with a random delay that doubles each time.
    """

    def __init__(
        self,
        credentials: Credentials | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            credentials: None for an emulator.
            sleep: Waits between retries.
        """
        self._credentials = credentials
        self._sleep = sleep

    def call(self, method: str, url: str, body: Any = None) -> Any:
        """Returns the response as JSON, or None if the resource does not exist.

        Raises:
            ServiceError: The call was refused, or there was no response.
        """
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(1, _TRIES + 1):
            try:
                request = urllib.request.Request(url, data=data, method=method, headers=self._headers())
                with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
                    return json.loads(response.read() or b"null")
            except urllib.error.HTTPError as error:
                if error.code == 404 and method == "GET":
                    return None
                if error.code not in _TRANSIENT_STATUSES or attempt == _TRIES:
                    raise ServiceError(_explain(error), error.code) from error
            except (urllib.error.URLError, OSError) as error:
                if attempt == _TRIES:
                    raise ServiceError(f"No response from {_host(url)}: {error}") from error
            self._sleep(random.random() * 2**attempt / 2)
        raise AssertionError("the last try returns or raises")

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self._credentials is None:
            # Lets an emulator skip its security rules.
            return {**headers, "Authorization": "Bearer owner"}
        if not self._credentials.valid:
            from google.auth.transport.requests import Request

            self._credentials.refresh(Request())
        headers["Authorization"] = f"Bearer {self._credentials.token}"
        # A person's credentials name the project whose quota their calls use.
        if self._credentials.quota_project_id is not None:
            headers["X-Goog-User-Project"] = self._credentials.quota_project_id
        return headers


def _host(url: str) -> str:
    return url.split("/")[2]


def _explain(error: urllib.error.HTTPError) -> str:
    try:
        details = json.loads(error.read())
        details = details[0] if isinstance(details, list) else details
        message = str(details["error"]["message"])
    except (ValueError, KeyError, TypeError, IndexError):
        # The body could be a proxy's page. It does not help anyone.
        message = error.reason
    return f"{_host(error.url or '//')} answered {error.code}: {message}"
