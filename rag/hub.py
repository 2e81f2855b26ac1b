"""Is a named model within reach: a folder here, in the hub's cache, or on a hub that answers?

Without this the hub's client tries for a minute and a half, in silence, before it gives up on a
machine without a network.
"""

from __future__ import annotations

from pathlib import Path

from rag.errors import ModelUnavailable

#: Seconds in which a hub that is there has answered. Set by hand.
_PATIENCE = 5.0
_PATHS = ("/", "./", "../", "~", ".\\", "..\\")


def must_be_within_reach(source: str, what: str, remedy: str) -> None:
    """``what`` is the model's part in a sentence. Raises ModelUnavailable, ending in ``remedy``."""
    if Path(source).is_dir():
        return
    if source.startswith(_PATHS) or Path(source).is_absolute():
        raise ModelUnavailable(f"{what} «{source}»: there is no such folder", remedy)

    import httpx
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or _is_cached(source):
        return
    try:
        httpx.head(constants.ENDPOINT, timeout=_PATIENCE)
    except httpx.HTTPError as error:
        raise ModelUnavailable(
            f"{what} «{source}» is no folder here, and the model hub does not answer", remedy
        ) from error


def _is_cached(source: str) -> bool:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(source, "config.json"), str)
    except HFValidationError:  # no name that a hub could have; loading says what is wrong with it
        return True
