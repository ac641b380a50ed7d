"""LLaMA-Factory's `dataset_info.json`: what the columns and speakers of the data files beside it are called.

    {"my_set": {"file_name": "my.jsonl", "formatting": "sharegpt", "ranking": true,
                "columns": {"messages": "dialogue", "chosen": "better", "rejected": "worse"},
                "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "model"}}}

A column the entry does not name is read under its usual name. An alpaca entry that names a prompt column and nothing
else describes documents, as in LLaMA-Factory's sets for pretraining.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.columns import Columns, Tags
from plaudit.formats.detect import Shape
from plaudit.formats.messages import shown
from plaudit.schemas.errors import PlauditError

INFO = "dataset_info.json"
_SHARED = {name: name for name in ("system", "tools", "images", "videos", "audios", "chosen", "rejected", "kto_tag")}
_ALPACA = _SHARED | {"prompt": "instruction", "query": "input", "response": "output", "history": "history"}
_SHAREGPT = _SHARED | {"messages": "conversations"}
_KEYS = {"role_tag": "from", "content_tag": "value"}
_SPEAKERS = {
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}


def described(path: Path) -> tuple[Shape, Columns] | None:
    """The shape and columns that the `dataset_info.json` beside the file gives it; None where none names it.

    Raises PlauditError where entries for the file differ, or one says what LLaMA-Factory does not know.
    """
    info = path.parent / INFO
    if not info.is_file() or not path.is_file():
        return None
    try:
        entries = json.loads(info.read_bytes())
    except (OSError, ValueError) as error:
        raise PlauditError(
            f"{info} cannot be read ({error}): mend it, or name the file's shape with --shape"
        ) from error
    if not isinstance(entries, dict):
        return None
    found = {
        name: _described(f"{info}: {name}", entry)
        for name, entry in entries.items()
        if isinstance(entry, dict) and entry.get("file_name") == path.name
    }
    if not found:
        return None
    first, *others = found.values()
    if any(other != first for other in others):
        raise PlauditError(
            f"{info} describes {path.name} in several ways ({', '.join(found)}): use --shape and --columns"
        )
    return first


def _described(where: str, entry: Mapping[str, JsonValue]) -> tuple[Shape, Columns]:
    formatting = entry.get("formatting", "alpaca")
    ranking = entry.get("ranking", False)
    if formatting not in ("alpaca", "sharegpt"):
        raise PlauditError(
            f"{where}: formatting must be alpaca or sharegpt, got {shown(formatting)}: name --shape instead"
        )
    if not isinstance(ranking, bool):
        raise PlauditError(f"{where}: ranking must be true or false, got {shown(ranking)}")
    given = _texts(where, entry, "columns", _ALPACA if formatting == "alpaca" else _SHAREGPT)
    if formatting == "alpaca" and given.keys() == {"prompt"} and not ranking:
        return Shape.PLAIN, Columns(names={"text": given["prompt"]}, must_occur=False)
    known = _ALPACA if formatting == "alpaca" else _SHAREGPT
    names = {known[name]: theirs for name, theirs in given.items()}
    # A ranked alpaca set of the old kind holds its answers as a list in the response column.
    is_list = formatting == "alpaca" and "response" in given and not given.keys() & {"chosen", "rejected"}
    required = ["chosen", "rejected"] if ranking and not is_list else []
    required += ["kto_tag"] if "kto_tag" in given else []
    tags = _texts(where, entry, "tags", _KEYS | _SPEAKERS) if formatting == "sharegpt" else {}
    columns = Columns(
        names=names,
        must_occur=False,
        required=tuple(required),
        tags=Tags(
            columns=("conversations", "chosen", "rejected"),
            keys={tags[name]: ours for name, ours in _KEYS.items() if name in tags},
            speakers={tags[name]: ours for name, ours in _SPEAKERS.items() if name in tags},
        )
        if tags
        else None,
    )
    return Shape.ALPACA if formatting == "alpaca" else Shape.SHAREGPT, columns


def _texts(where: str, entry: Mapping[str, JsonValue], name: str, known: Mapping[str, str]) -> dict[str, str]:
    """The names an entry gives under `columns` or `tags`; null is no name."""
    given = entry.get(name) or {}
    if not isinstance(given, dict):
        raise PlauditError(f"{where}: {name} must be an object of names, got {shown(given)}")
    texts = {key: value for key, value in given.items() if isinstance(value, str)}
    wrong = [key for key, value in given.items() if key not in known or (value is not None and key not in texts)]
    if wrong:
        raise PlauditError(f"{where}: {name} has {', '.join(wrong)}; it may name {', '.join(known)}, each with a text")
    return texts
