"""Shape checks on in all tests; torchvision beside any build of torch."""

from __future__ import annotations

import sys
import types
from pathlib import Path

from hypothesis import settings
from jaxtyping import install_import_hook

SOURCE = Path(__file__).parent.parent / "src"


def _checked_modules() -> list[str]:
    """Modules whose functions are checked: those that say shapes of arrays. The check takes some 50 us a call.

    Not those for numba, which cannot compile a wrapper.
    """
    names = []
    for path in sorted((SOURCE / "microtome").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        shaped = "from jaxtyping import" in text and "import numba" not in text and "from numba" not in text
        if path.name != "__init__.py" and shaped:
            names.append(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    return names


# torchvision built for CUDA fails to import beside a CPU build of torch, in this one module, which declares
# operators for object detection. No classifier needs them: with the module empty all of them run. What users
# are told without this is tested in test_models_adapters.py, in a process of its own.
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))

install_import_hook(_checked_modules(), "beartype.beartype")

# The same examples each time: a test that fails here fails everywhere.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")
