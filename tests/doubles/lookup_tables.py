"""Lookup tables in other projects' formats, with made-up latencies: the real ones are not ours to ship."""

from __future__ import annotations

import json

from edgewright.latency.importers.ofa import keys_of
from edgewright.spaces import find_space

FBNET_COLUMNS = ("k3_e1", "k3_e1_g2", "k5_e6", "skip")
# Not one of the files' own: its widths are OFA's w1.0.
OFA_SPACE = "mobilenetv3-w1.0@128"


def ofa_yaml(*, factor=1.0, **changes):
    """Return OFA's table of all blocks of a space; 10 GMAC/s. ``changes`` replace whole entries."""
    entries = {}
    for operator in find_space(OFA_SPACE).all_operators():
        keys = keys_of(operator)
        for key in keys:
            mean = (0.01 + operator.macs / 1e7 / len(keys)) * factor
            entries[key] = f"{{count: 100, mean: {mean!r}, std: {mean / 50!r}}}"
    return "".join(f"{key}:\n  {value}\n" for key, value in (entries | changes).items())


def proxyless_yaml(*, factor=1.0, more=""):
    """Return a table of ProxylessNAS's form: three keys at about 10 GMAC/s."""
    rows = {
        "Conv-input:224x224x3-output:112x112x32": 1.1,
        "expanded_conv-input:112x112x16-output:56x56x24-expand:3-kernel:3-stride:2-idskip:0": 1.5,
        "expanded_conv-input:14x14x80-output:14x14x80-expand:6-kernel:5-stride:1-idskip:1": 1.6,
        "Logits-input:7x7x1280-output:1000": 0.3,
    }
    text = "".join(f"{key}:\n  count: 9\n  mean: {ms * factor}\n  var: 0.04\n" for key, ms in rows.items())
    return text + more


def fbnet_csv(*, factor=1.0, n_layers=22):
    """Return a table of FBNet's form."""
    lines = ["layer," + ",".join(FBNET_COLUMNS)]
    lines += [f"{i},{0.5 * factor},{0.6 * factor},{2.5 * factor},0.0" for i in range(n_layers)]
    return "\n".join(lines) + "\n"


def single_path_json(*, factor=1.0):
    """Return a table of Single-Path NAS's form."""
    layers = {str(i): {str(j): (1.0 + j) * factor for j in range(4)} for i in range(22)}
    return json.dumps(layers)


def fasterseg_json(*, factor=1.0, **changes):
    """Return a table of FasterSeg's form, about 2 TMAC/s."""
    return json.dumps(
        {
            "ConvNorm_H64_W128_Cin192_Cout96_kernel1_stride1": 0.07 * factor,
            "BasicResidual2x_H128_W256_Cin32_Cout48_stride1_dilation1": 0.25 * factor,
            "BasicResidual_downup_1x_H128_W256_Cin32_Cout64_stride2_dilation1": 0.05 * factor,
            "FactorizedReduce_H64_W128_Cin96_Cout256_stride2": 0.04 * factor,
            "ff_H64_W128_C96": 0.05 * factor,
            "head_H64_W128_Cin128_Cout19": 0.3 * factor,
        }
        | changes
    )


ALL = {
    "ofa": ofa_yaml,
    "proxylessnas": proxyless_yaml,
    "fbnet": fbnet_csv,
    "single-path-nas": single_path_json,
    "fasterseg": fasterseg_json,
}
