"""Reading a YAML mapping while remembering on which line each key stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from prover_core.plugins.presets import yaml_mistake

__all__ = ["YamlFile", "read_yaml"]

_Path = tuple[str, ...]


@dataclass(slots=True)
class YamlFile:
    """A mapping, and the lines of its keys."""

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[_Path, int] = field(default_factory=dict)

    def at(self, key: _Path) -> str:
        """``", line 3"``, or nothing where the line is not known."""
        line = self.lines.get(key)
        return "" if line is None else f", line {line}"


def read_yaml(path: Path, problems: list[str]) -> YamlFile:
    """Read a file that must hold a mapping with text keys; what is wrong is added to ``problems``."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        problems.append(f"config file {path} cannot be read: {reason}")
        return YamlFile()
    except yaml.YAMLError as error:
        problems.append(f"config file {path} is not YAML: {yaml_mistake(error)}")
        return YamlFile()
    if data is None:
        return YamlFile()
    if not isinstance(data, dict):
        problems.append(
            f"config file {path} must be a mapping of settings to values, and holds a {type(data).__name__}"
        )
        return YamlFile()
    found = YamlFile(values={str(key): value for key, value in data.items()})
    _walk(node, (), found.lines, path, problems)
    return found


def _walk(
    node: yaml.Node | None, at: _Path, lines: dict[_Path, int], path: Path, problems: list[str]
) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        here, line = (*at, str(key.value)), key.start_mark.line + 1
        if here in lines:
            problems.append(
                f"{path}, line {line}: {'.'.join(here)} is set twice (first on line {lines[here]})"
            )
        lines[here] = line
        _walk(value, here, lines, path, problems)
