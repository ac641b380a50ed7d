"""What can a person type, and what do they see? One file a command, and the settings, errors and checks they share.

Invariant: rooms are wired together here and nowhere else; a default lives in the dataclass it belongs to; a person's
mistake ends in one message with its cause and the next step, never in a traceback. `plaudit --help` and `plaudit data`
load no torch.
"""
