"""How does plaudit ask other machines? OpenAI-compatible models and remote scorers, over plain HTTP.

Invariant: a request either gives a checked answer or raises a RemoteError that names the address and the next step; keys
appear in no config, file or message. Imports no torch.
"""

from plaudit.client.openai_compatible import ChatCompleter, RemoteModel
from plaudit.client.remote_scorer import RemoteReward, RemoteScorer
from plaudit.client.transport import Patience, RemoteError

__all__ = ["ChatCompleter", "Patience", "RemoteError", "RemoteModel", "RemoteReward", "RemoteScorer"]
