"""Bearer keys: the settings hold their SHA-256, so that who reads the settings can't call the service."""

import hashlib
import hmac
from typing import Annotated

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.problems import UNAUTHORIZED, Problem
from service.state import SharedState

_bearer = HTTPBearer(auto_error=False, description="A key whose SHA-256 is among the service's settings.")


async def check_key(
    given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)], state: SharedState
) -> None:
    """
    Raises:
        Problem: the request has no key, or one that is not among the settings' keys.
    """
    digest = hashlib.sha256(given.credentials.encode() if given else b"").hexdigest()
    # Each is compared, and in the same time whatever they have in common.
    matches = [hmac.compare_digest(digest, key) for key in (state.settings.keys or "").split(",")]
    if given is None or not any(matches):
        detail = "Send the header Authorization: Bearer KEY, with a key of this service."
        raise Problem(UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer", "Connection": "close"})
