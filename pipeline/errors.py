"""The error tree, drawn once.

Exception
├── UserMistake     what was asked cannot be done; say how to ask for it (exit code 2)
│   └── NotThere           who was named does not answer: it may come up yet
├── RunStopped      the run could not go on; what is done is kept (exit code 3)
├── EngineFailure   one request to an engine failed; the attempt becomes an error record
│   ├── PromptTooLong      the prompt leaves no room in the context for an answer
│   ├── Unserved           the engine is at fault, and not what was asked: another may serve it
│   └── EngineDead         the engine itself is gone: no later request can succeed either
└── Misdeclared     an entry (reasoner, engine, vote rule) is none; its registry says whose it is
"""

SOME_FAILED, USER_MISTAKE, RUN_STOPPED = 1, 2, 3
"""Exit codes: all was tried and some of it failed, the request was wrong, the run cannot go on."""


class UserMistake(Exception):  # noqa: N818 - named for what it is, not for what Python calls it
    """What the user asked for cannot be done. The message says what was wrong and what to do."""


class NotThere(UserMistake):
    """Who was named does not answer: a mistake, or it is down and may come up yet."""


class RunStopped(Exception):  # noqa: N818 - same
    """The run could not go on. What is recorded is kept; the message says how to resume."""


class EngineFailure(Exception):  # noqa: N818 - same
    """One request failed. Other requests to the same engine may still succeed."""


class PromptTooLong(EngineFailure):
    """The prompt leaves no room in the model's context for even one new token."""


class Unserved(EngineFailure):
    """No answer that can be used came, for no fault of the request: another engine may serve it."""


class EngineDead(EngineFailure):
    """The engine is gone; it must be restarted before any request can succeed."""


class Misdeclared(Exception):  # noqa: N818 - same
    """What a reasoner, an engine or a vote rule says of itself does not hold together."""
