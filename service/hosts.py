"""The names that the service may be called by.

A page of the web can give its own name this machine's address (DNS rebinding), and would then read what is kept here as
if it were its own. Its requests still name its host.
"""

from urllib.parse import urlsplit

from fastapi import Request

from service.problems import WRONG_HOST, Problem
from service.settings import LOOPBACK, Settings
from service.state import SharedState


def is_checked(settings: Settings) -> bool:
    """Whether names are looked at: where the service listens to this machine only, and no key keeps others out."""
    return settings.host in LOOPBACK and not settings.keys


async def check_host(request: Request, state: SharedState) -> None:
    """
    Raises:
        Problem: the request names another host than this machine and those that the settings allow.
    """
    given = request.headers.get("host", "")
    try:
        name = urlsplit(f"//{given}").hostname
    except ValueError:
        name = None
    if is_checked(state.settings) and name not in (*LOOPBACK, *(state.settings.allowed_hosts or "").lower().split(",")):
        detail = "Call it as localhost; a proxy's name must be among its allowed_hosts."
        raise Problem(WRONG_HOST, detail)
