"""The page of `benchmarks.audit_world`: what each network really uses, and what the audit proved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from microtome.store.run import read_manifest, read_table
from microtome.verify.proportions import wilson


def write_page(
    out: Path, rows: Sequence[Any], accuracy: Sequence[dict[str, float]], on: Sequence[list[str]], runs: Path
) -> Path:
    """Write `audit-world.md`."""
    used = [row for row in rows if row.used.used]
    proved = [row for row in used if row.proved]
    off = [row for row in rows if not row.on]
    wrong = [row for row in off if row.proved]
    accused = [row for row in off if row.asked_proved]
    low, high = wilson(len(proved), len(used))
    lines = [
        "# The audit on ten networks whose shortcuts are known", "",
        "Made by `python -m benchmarks.audit_world`. Ten small networks (0.12 million parameters, 64 pixels, 4,000 "
        "training images each) learned the planted world with some shortcuts on and some off. What each *really uses* "
        "is measured without the audit, by drawing the same scene again with the cue alone changed, beside a change of "
        "something else: at least 10 points more flips, interval above 0.", "",
        f"- Really used: {sum(row.on for row in used)} of {sum(row.on for row in rows)} that were on, and "
        f"{sum(row.used.used for row in off)} of {len(off)} that were off.",
        f"- **Proved by the audit: {len(proved)} of {len(used)} used ones** ({len(proved) / max(len(used), 1):.0%}, "
        f"interval {low:.0%} to {high:.0%}).",
        f"- **Proved although off: {len(wrong)} of {len(off)}.**",
        f"- Put to the proof by name all the same (`--concept`), without any ground for suspicion: {len(accused)} of "
        f"{len(off)} are proved. There a paste is only as good as a paste: a ground that goes with no class has "
        "no place to take, and is laid over the picture.", "",
        "| net | shortcut | on | turned by the cue | by the control | difference (95 %) | used | proved |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        it = row.used
        lines.append(
            f"| {row.seed} | `{row.shortcut}` | {'on' if row.on else 'off'} | {it.rate:.0%} of {it.scenes} | "
            f"{it.control:.0%} | {it.difference:+.0%} ({it.low:+.0%} to {it.high:+.0%}) | {_yes(it.used)} | "
            f"{_yes(row.proved)}{'' if row.asked_proved is None else f', asked: {_yes(row.asked_proved)}'} |"
        )
    lines += ["", "## What the audit says", ""]
    lines += [f"- Net {row.seed}, `{row.shortcut}`: {row.findings[0]}" for row in rows if row.findings]
    lines += ["", "## Repairs", "", *_repairs(runs, len(accuracy)), "", "## Accuracy", ""]
    lines += ["| net | on | heldout | shift |", "|---|---|---|---|"]
    lines += [
        f"| {seed} | {', '.join(names) or 'none'} | {each['heldout']:.1%} | {each['shift']:.1%} |"
        for seed, (each, names) in enumerate(zip(accuracy, on, strict=True))
    ]
    out.mkdir(parents=True, exist_ok=True)
    path = out / "audit-world.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _repairs(runs: Path, models: int) -> list[str]:
    lines = [
        "Worst group on the half of the shift split that chose nothing, without and with the repair that was best on "
        "the other half; the price in points of accuracy on ordinary images.", "",
        "| net | fault | none | chosen kind | worst group | difference (95 %) | price | DFR | helps |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for seed in range(models):
        folder = runs / f"audit-{seed:02d}"
        read_manifest(folder)
        findings = {row["number"]: row for row in read_table(folder, "findings").to_pylist()}
        rows = read_table(folder, "repairs").to_pylist()
        for number in dict.fromkeys(row["number"] for row in rows):
            own = {row["kind"]: row for row in rows if row["number"] == number}
            best = next((row for row in own.values() if row["best"]), None)
            told = findings[number]
            fault = f"{told['words']}: {told['source']} to {told['target']}"
            none, dfr = own["none"]["worst"], own.get("DFR")
            beside = "–" if dfr is None or not dfr["chosen"] else f"{dfr['worst']:.0%}"
            if best is None:
                lines.append(f"| {seed} | {fault} | {none:.0%} | could not | | | | {beside} | no |")
                continue
            lines.append(
                f"| {seed} | {fault} | {none:.0%} | {best['kind']} | {best['worst']:.0%} | "
                f"{100 * best['worst_low']:+.0f} to {100 * best['worst_high']:+.0f} | {best['price']:.1f} | {beside} | "
                f"{'yes' if best['helps'] else 'no'} |"
            )
    return lines
