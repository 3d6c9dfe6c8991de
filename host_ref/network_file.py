"""A network's description in a JSON file of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Union

from host_ref.errors import reason, shortened
from host_ref.network import Network, NetworkError
from host_ref.parameters import ParameterError


def read_network(path: Union[str, Path]) -> Network:
    """The network that a JSON file describes, as :meth:`Network.from_description` has it.

    Raises
    ------
    ParameterError
        If the file can't be read, isn't JSON, or describes no network that is possible; names it.
    """
    shown = shortened(path, 200)
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # a NUL in the name is a ValueError
        raise ParameterError(f"{shown} can't be read: {reason(error)}") from None
    try:
        return Network.from_description(json.loads(content.decode("utf-8")))
    except NetworkError as error:  # before ValueError, which it is too
        raise ParameterError(f"{shown}: {error}") from None
    except ValueError as error:
        raise ParameterError(f"{shown} is not valid JSON: {error}") from None
    except RecursionError:
        raise ParameterError(f"{shown} is not a network: it is nested too deeply") from None
