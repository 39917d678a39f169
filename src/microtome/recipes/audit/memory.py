"""What a stopped audit has found so far: the same command goes on from there.

Kept are what exploring a suspect gave and what its proof came to, not the inputs: those are made again by the seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from microtome.recipes.audit.nouns import Carriers, Suspect
from microtome.recipes.audit.proving import Proof, Tried, Without, tried_on
from microtome.store.atomic import write_atomically
from microtome.verify.flips import FlipTest, Rate
from microtome.verify.paired import Mean

_EXPLORED, _PROOFS = "explored.json", "proofs.json"
_LAYOUT = 2


class Memory:
    """What was found of each suspect, kept in the draft of a run.

    Parameters
    ----------
    folder:
        The draft's cache; None: nothing is kept.
    seed:
        Of the audit.
    others:
        The models that the same inputs are shown to, each with its hash.
    """

    def __init__(self, folder: Path | None = None, *, seed: int = 0, others: Sequence[str] = ()) -> None:
        self._folder, self._seed, self._others = folder, seed, list(others)
        self._held = {name: self._read(name) for name in (_EXPLORED, _PROOFS)}

    def _read(self, name: str) -> dict[str, Any]:
        path = None if self._folder is None else self._folder / name
        if path is None or not path.is_file():
            return {}
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            # Written whole or not at all; a file of another make is done again.
            return {}
        return dict(held["found"]) if isinstance(held, dict) and held.get("layout") == _LAYOUT else {}

    def _keep(self, name: str, suspect: Suspect, entry: dict[str, Any]) -> None:
        self._held[name][_key(suspect)] = entry
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"layout": _LAYOUT, "found": self._held[name]})
            write_atomically(self._folder / name, lambda path: path.write_text(text, encoding="utf-8"))

    def recall(self, suspect: Suspect) -> tuple[list[Tried], str] | None:
        """What exploring a suspect gave; None where it was not done."""
        entry = self._held[_EXPLORED].get(_key(suspect))
        if entry is None:
            return None
        tried = [
            tried_on(suspect, source, np.array(turned, bool), np.array(beside, bool), seed=self._seed)
            for source, turned, beside in entry["tried"]
        ]
        return tried, str(entry["problem"])

    def keep(self, suspect: Suspect, tried: list[Tried], problem: str) -> None:
        """Keep it."""
        rows = [[one.source, one.turned.tolist(), one.beside.tolist()] for one in tried]
        self._keep(_EXPLORED, suspect, {"tried": rows, "problem": problem})

    def recall_proof(self, suspect: Suspect) -> Proof | None:
        """A proof without its inputs; None where it was not found, or shown to other models."""
        entry = self._held[_PROOFS].get(_key(suspect))
        if entry is None or entry["others"] != self._others:
            return None
        held = entry["proof"]
        transfer = held["transfer"]
        return Proof(
            suspect, held["source"], None, np.array(held["turned"], bool), _test(held["test"]), float("nan"),
            "not proved", None if held["without"] is None else _without(held["without"]),
            None if held["reverse"] is None else _test(held["reverse"]), held["reverse_how"],
            None if transfer is None else {n: None if t is None else _test(t) for n, t in transfer.items()},
            tuple(held["kept"]), None, held["problem"],
        )  # fmt: skip

    def keep_proof(self, proof: Proof) -> None:
        """Keep it."""
        without = proof.without
        held = {
            "source": proof.source, "turned": proof.turned.tolist(), "test": asdict(proof.test),
            "without": None if without is None else asdict(without),
            "reverse": None if proof.reverse is None else asdict(proof.reverse), "reverse_how": proof.reverse_how,
            "transfer": None if proof.transfer is None else {
                name: None if test is None else asdict(test) for name, test in proof.transfer.items()
            },
            "kept": list(proof.kept), "problem": proof.problem,
        }  # fmt: skip
        self._keep(_PROOFS, proof.suspect, {"others": self._others, "proof": held})


def _test(held: Mapping[str, Any]) -> FlipTest:
    ahead, behind = (None if held[name] is None else Rate(**held[name]) for name in ("ahead", "behind"))
    return FlipTest(
        Rate(**held["turned"]), Mean(**held["control"]), Mean(**held["difference"]), held["p"], ahead, behind,
        held["least"],
    )  # fmt: skip


def _without(held: Mapping[str, Any]) -> Without:
    carriers = held["carriers"]
    erased = held["erased"]
    return Without(
        Carriers(tuple(carriers["parts"]), tuple(carriers["margin"]), tuple(map(tuple, carriers["control"]))),
        Rate(**held["rate"]), Rate(**held["first"]), None if erased is None else Rate(**erased),
        Mean(**held["control"]), Rate(**held["still_right"]),
    )  # fmt: skip


def _key(suspect: Suspect) -> str:
    return f"{suspect.target} {suspect.concept}"
