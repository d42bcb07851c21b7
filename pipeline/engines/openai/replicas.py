"""The openai engine: one server, or several that serve the same model."""

from dataclasses import replace
from functools import partial

from pipeline.engines.masking import addresses_in
from pipeline.engines.openai.engine import OpenAIEngine
from pipeline.engines.openai.server import base_url_of
from pipeline.engines.replicas import Replicas
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake


class ServedModel(Replicas):
    """A model of servers that somebody else runs; each address is a replica."""

    def __init__(self, settings: EngineSettings) -> None:
        """Raises `UserMistake` for an address that is none, or is given twice."""
        makes = {}
        for address in addresses_in(settings.base_url) or (None,):
            one = replace(settings, base_url=address)
            name = base_url_of(one)
            if name in makes:
                raise UserMistake(f"the server {name} is given twice; give each --base-url once")
            makes[name] = partial(OpenAIEngine, one)
        super().__init__(makes, settings.log, settings.on_change)
