# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of `smplit eval loco`, narrow enough for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_MEANS = (
    "deviation", "nearest", "end", "facing", "speed", "skate", "skate_step", "support", "penetration", "floating", "jitter",
)
_WORST = ("deviation", "end", "facing", "speed")
_REAL = ("skate", "skate_step", "support", "penetration", "floating", "jitter", "style")
_PATH = {  # heading: figure
    "path cm": "deviation", "near": "nearest", "most": "deviation_max", "end cm": "end", "worst": "end_worst", "face": "facing", "speed": "speed",
}
_BODY = {
    "skate": "skate", "/real": "skate_ratio", "stand": "support", "style%": "style_share", "FID": "fid", "divers": "diversity", "jitter": "jitter",
}
_PACE = {"x real time": "real_time", "first ms": "first_ms", "sinks mm": "penetration", "floats": "floating"}
_HELD_OUT = {
    "s": "seconds", "windows": "windows_held_out", "train": "windows_train", "style %": "style", "skate %": "skate", "stand": "support",
    "jitter": "jitter",
}
_LESSER = ("matching", "matching feet")
_FACING = {"path": "deviation", "end": "end", "face": "facing", "worst": "facing_worst", "speed": "speed", "/real": "skate_ratio", "stand": "support"}
_STYLE = {"path": "deviation", "end": "end", "face": "facing", "speed": "speed", "/real": "skate_ratio", "style%": "style_share"}


def summary(rows: list[dict], real: Mapping[str, dict], styles: Sequence[str]) -> dict:
    """Rows of walks and the recordings' figures by style -> `methods`, `styles`, `curves`, `real`, `walks`.

    A method's figures are means over its walks (`*_worst`: the largest), `skate_ratio` their skate by that of the same styles'
    recordings, `style` the share of windows with the asked style and `style_share` that by the recordings' own, both %.
    """
    methods = list(dict.fromkeys(row["method"] for row in rows))
    of = lambda **wanted: [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    curves = list(dict.fromkeys(row["curve"] for row in rows))
    whole = {name: float(np.nanmean([real[style][name] for style in styles])) for name in _REAL}
    return {
        "methods": {method: _means(of(method=method), real) for method in methods} | {"real": whole | {"skate_ratio": 1.0, "style_share": 100.0}},
        "styles": {method: {style: _means(of(method=method, style=style), real) for style in styles} for method in methods},
        "curves": {method: {curve: _means(of(method=method, curve=curve), real) for curve in curves} for method in methods},
        "real": {style: real[style] for style in styles}, "walks": rows,
    }


def _means(rows: list[dict], real: Mapping[str, dict]) -> dict[str, float]:
    mean = lambda values: float(np.nanmean(values)) if np.isfinite(values).any() else np.nan
    out = {name: mean([row[name] for row in rows]) for name in _MEANS}
    out |= {f"{name}_worst": float(np.nanmax([row[name] for row in rows])) for name in _WORST}
    out["deviation_max"] = float(max(row["deviation_max"] for row in rows))
    styles = sorted({row["style"] for row in rows})
    by_style = {style: [row for row in rows if row["style"] == style] for style in styles}
    skated = mean([real[row["style"]]["skate"] for row in rows])
    out["skate_ratio"] = out["skate"] / skated if skated > 0 else np.nan
    right = {s: 100.0 * sum(r["style_right"] for r in some) / max(sum(r["windows"] for r in some), 1) for s, some in by_style.items()}
    out["style"] = float(np.mean(list(right.values())))
    own = mean([real[style]["style"] for style in styles])
    out["style_share"] = 100.0 * out["style"] / own if own > 0 else np.nan
    out["real_time"] = sum(row["seconds"] for row in rows) / sum(row["cpu"] for row in rows)
    out["walks"] = len(rows)
    return out


def report_tables(report: dict) -> dict[str, list[dict]]:
    """Rows of a report for a terminal: on the path, the body, the pace, the recordings; styles and curves of every method but the
    baseline's lesser kinds."""
    methods = report["methods"]
    table = lambda title, wanted, some: [
        {title: name} | {heading: _cell(values.get(key)) for heading, key in wanted.items()} for name, values in some.items()
    ]
    made = {name: values for name, values in methods.items() if name != "real"}
    out = {
        "path": table("on the path", _PATH, made), "body": table("body", _BODY, methods), "pace": table("pace", _PACE, methods),
        "real": table("held out", _HELD_OUT, report["real"]),
    }
    for method in (name for name in made if name not in _LESSER):
        out[f"styles of {method}"] = table(method, _STYLE, report["styles"][method])
        out[f"curves of {method}"] = table(method, _STYLE, report["curves"][method])
        if "facings" in report:
            out[f"facings of {method}"] = table(f"{method}, {len(report['facing_styles'])} styles", _FACING, report["facings"][method])
    return out


def _cell(value: float | int | None) -> str | None:
    if value is None or not np.isfinite(value):
        return None
    if isinstance(value, (int, np.integer)):
        return str(value)
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"
