"""Texts of the Hugging Face `datasets` library: from the hub, or a local folder saved to disk or of Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from microtome.core.errors import DataError, OptionError, nearest
from microtome.data.base import hash_of
from microtome.data.files import name_and_sizes, walk_files
from microtome.data.problems import Collector
from microtome.data.text.jsonl import text_columns
from microtome.data.text.rows import (
    ID_COLUMNS,
    LABEL_COLUMNS,
    TextRow,
    TextRows,
    classes_of,
    default_classes,
    labelled_throughout,
    row_of,
    unique_keys,
)

HF_OPTIONS = ("split", "config", "labels")


def is_hf_texts(path: Path, first: str) -> bool:
    """Whether a path is a Parquet file, or a folder that `datasets` saved or that holds some."""
    if path.is_file():
        return path.suffix.lower() == ".parquet"
    if not path.is_dir():
        return False
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
        return True
    return any(file.suffix == ".parquet" for file in walk_files(path))


def read_hf(name: str, options: dict[str, str], labels: tuple[str, ...] = ()) -> TextRows:
    """Rows of a data set with columns premise and hypothesis (sentence1 and sentence2), or text (sentence).

    A ClassLabel column's own names are the classes; -1 there is no gold label, and its row is dropped.

    Parameters
    ----------
    name:
        Hub name or local path.
    options:
        `split` and `config`, where the data set has several.
    labels:
        Labels that may occur, for a label column of texts; default as for files.

    Raises
    ------
    DataError
        When it cannot be loaded, has no column of texts, or rows have faults: all of them, by row.
    OptionError
        When the split is not there or not said.
    """
    data = _loaded(name, options)
    features = data.features
    columns = list(features)
    sides = text_columns(columns, f"hf:{name}")
    side_names = tuple(side for _, side in sides)
    label_column = next((column for column in LABEL_COLUMNS if column in columns), None)
    id_column = next((column for column in ID_COLUMNS if column in columns), None)
    named = tuple(getattr(features[label_column], "names", None) or ()) if label_column else ()
    valid = named or default_classes(side_names, labels)
    problems = Collector()
    rows: list[TextRow] = []
    dropped = 0
    where = Path(f"hf:{name}")
    used = [column for column in (*(c for c, _ in sides), label_column, id_column) if column is not None]
    for number, found in enumerate(data.select_columns(used), start=1):
        if named and label_column is not None:
            found = {**found, label_column: _named(found[label_column], named)}
        row, lacks_gold = row_of(
            found.get,
            sides,
            label_column=label_column,
            id_column=id_column,
            valid=valid,
            path=where,
            line=number,
            problems=problems,
        )
        dropped += lacks_gold
        if row is not None:
            rows.append(row)
    unique_keys(rows, where, problems)
    labelled_throughout(rows, where, problems)
    problems.settle()
    if not rows:
        raise DataError(f"'hf:{name}' has no text that can be used.", expected="at least one row")
    files: object = sorted((data.info.download_checksums or {}).keys())
    if Path(name).exists():
        files = name_and_sizes(walk_files(Path(name)) if Path(name).is_dir() else [Path(name)], Path(name))
    digest = hash_of([name, options.get("split"), options.get("config"), files, [(r.texts, r.label) for r in rows]])
    notes = (f"Columns read: {', '.join(used)}.",)
    if dropped:
        notes += (f"{dropped:,} rows without a gold label dropped.",)
    return TextRows(tuple(rows), side_names, classes_of(rows, valid), "hf", f"hf:{name}", digest, notes)


def _named(value: Any, names: tuple[str, ...]) -> str | None:
    if value is None or value == -1:
        return "-"
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else str(value)


def _loaded(name: str, options: dict[str, str]) -> Any:
    try:
        import datasets
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise DataError(
            f"The data set 'hf:{name}' needs the package datasets ({error}).",
            next_step="pip install 'microtome[datasets]'",
        ) from error
    try:
        if (Path(name) / "state.json").is_file() or (Path(name) / "dataset_dict.json").is_file():
            found = datasets.load_from_disk(name)
        elif name.endswith(".parquet"):
            found = datasets.load_dataset("parquet", data_files=name)
        else:
            found = datasets.load_dataset(name, options.get("config"))
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, DatasetsError) as error:
        raise DataError(
            f"The data set 'hf:{name}' cannot be loaded: {error}",
            expected="a hub name, or a local folder with Parquet files",
            next_step="check the name and the connection; a data set made by a script is not run",
        ) from error
    split = options.get("split")
    if isinstance(found, datasets.Dataset):
        if split is not None:
            raise OptionError(f"The data set '{name}' has no splits.", next_step="leave out split=")
        return found
    splits = [str(key) for key in found]
    if split is None and len(splits) == 1:
        return found[splits[0]]
    if split not in splits:
        said = f"no split '{split}'" if split else f"the splits {', '.join(splits)}"
        raise OptionError(
            f"The data set '{name}' has {said}.",
            expected=f"one of {nearest(split or '', splits)}",
            next_step=f"add it to the name: 'hf:{name}?split={splits[-1]}'",
        )
    return found[split]
