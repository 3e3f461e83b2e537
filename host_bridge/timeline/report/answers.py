"""What a reader asks first: is everything covered, and if not, why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from nodes.consent.book import MAY
from nodes.consent.gate import USE, is_sample

Answer = Literal["yes", "no", "unknown"]
_LISTED = 6  # shots that a line names before it only counts
# What a result counts, by the state of its Content Credentials; any other state is a no.
WEIGHTS: dict[str, Answer] = {"intact": "yes", "stranger": "unknown", "unverified": "unknown", "absent": "unknown"}
Line = tuple[Answer, str, str]  # weight, shot, what


def answers(
    shots: Sequence[Mapping[str, Any]],
    consents: Mapping[str, Mapping[str, Any]],
    changed: bool | None,
    unexplained: Sequence[str],
    *,
    known: bool,
) -> list[dict[str, Any]]:
    """The questions, each with yes, no or unknown, and why if it is not yes.

    changed: whether the edit is another than the one that was run, None for an export. unexplained: clips that do not say what they show.
    known: whether there are records of consent here.
    """
    done = [shot for shot in shots if shot["result"] is not None]
    edit: list[Line] = [("no", "", "The edit was changed since it was run: run it again")] if changed else []
    edit += [("no", "", f"The clip '{name}' shows a result, and does not say which") for name in unexplained]
    people = [person["id"] for shot in done for person in shot["people"]]
    needless = known or (people and all(is_sample(id) for id in people))
    nobody: list[Line] = (
        [] if needless else [("unknown", "", "There are no records of consent here; name the project with --project")]
    )
    return [
        _answered(
            "consent",
            "May every face in it be used so today?",
            [*nobody, *(line for shot in done for line in _people(shot, consents, known))],
        ),
        _answered(
            "models",
            "Do all models say whom they were trained on?",
            (
                ("no", s["id"], f"the model {digest[:12]}… does not say whom it was trained on")
                for s in done
                for digest in s["result"]["unknown"]
            ),
        ),
        _answered(
            "results",
            "Are all results as they were made, with Content Credentials?",
            (line for shot in done for line in _results(shot)),
        ),
        _answered(
            "edit",
            "Does every clip in it say what it shows?" if changed is None else "Is the edit the one that was run?",
            edit,
        ),
    ]


def covered(asked: Iterable[Mapping[str, Any]]) -> Answer:
    """The answer to all of them."""
    return _worst(one["answer"] for one in asked)


def remarks(shots: Sequence[Mapping[str, Any]], consents: Mapping[str, Mapping[str, Any]], known: bool) -> list[str]:
    """What else a reader should know, which changes no answer."""
    lines = [line for shot in shots for line in _remarks(shot, consents)]
    return _together(lines)


def _people(shot: Mapping[str, Any], consents: Mapping[str, Mapping[str, Any]], known: bool) -> Iterator[Line]:
    if not shot["people"]:
        yield "no", shot["id"], "does not say by whose consent it was made"
    for person in shot["people"]:
        if person["may_now"] is False:
            ended = [f"{id} {consents[id]['stands']}" for id in person["consents"] if consents[id]["holds"] is False]
            why = f" ({'; '.join(ended)})" if ended else ""
            yield "no", shot["id"], f"{person['name'] or person['id']} may not be {MAY[USE[person['role']]]} today{why}"
        elif is_sample(person["id"]):
            yield (
                "unknown",
                "",
                f"{person['name']} is sample footage: its publisher allows its use, and says nothing of what its people agreed to",
            )
        elif person["may_now"] is None and known:
            yield "unknown", shot["id"], f"{person['id']}: not in the records"


def _results(shot: Mapping[str, Any]) -> Iterator[Line]:
    told = shot["result"]["credentials"]
    answer = WEIGHTS.get(told["state"], "no")
    if answer != "yes":
        yield from ((answer, shot["id"], what) for what in told["faults"] or [told["what"]])


def _remarks(shot: Mapping[str, Any], consents: Mapping[str, Mapping[str, Any]]) -> Iterator[Line]:
    result, id = shot["result"], shot["id"]
    if result is None:
        yield (
            "yes",
            id,
            f"no result, failed: {shot['error']}" if shot["state"] == "failed" else "no result, not done yet",
        )
        return
    for person in shot["people"]:
        if person["may_now"]:
            for c in (consents[c] for c in person["consents"] if consents[c]["holds"] is False):
                who = person["name"] or person["id"]
                yield "yes", id, f"consent {c['id']} of {who} {c['stands']}; another one allows it today"
    for model in result["models"]:
        if model["note"]:
            yield "yes", id, f"{model['name']}: {model['note']}"


def _answered(id: str, question: str, lines: Iterable[Line]) -> dict[str, Any]:
    found = list(lines)
    return {
        "id": id,
        "question": question,
        "answer": _worst(weight for weight, _, _ in found),
        "why": _together([line for line in found if line[0] == "no"] + [line for line in found if line[0] != "no"]),
    }


def _together(lines: Iterable[Line]) -> list[str]:
    """What is so of several shots is said once."""
    told: dict[str, list[str]] = {}
    for _, shot, what in lines:
        told.setdefault(what, []).append(shot)
    return [f"{_listed(ids)}: {what}" if any(ids) else what for what, ids in told.items()]


def _listed(ids: Sequence[str]) -> str:
    ids = list(dict.fromkeys(ids))
    more = len(ids) - _LISTED
    return ", ".join(ids) if more <= 1 else f"{', '.join(ids[:_LISTED])} and {more} more"


def _worst(found: Iterable[Answer]) -> Answer:
    weights = set(found)
    return "no" if "no" in weights else "unknown" if "unknown" in weights else "yes"
