# SPDX-License-Identifier: Apache-2.0
"""A policy as a value. What is one, and how it is written, is libmpol's to say: nothing is parsed
or formatted here, and nothing judged but what would not fit into its struct."""

from __future__ import annotations

import ctypes
import dataclasses
import enum
import errno
from typing import Any, Iterable, Optional, Tuple, Union

from mpol import _abi

# libmpol's longest line for a text that it quotes in part; a longer one is cut.
_ERROR_BYTES_MAX = 4096
# policy_text() of 1,024 nodes, each on its own, and their weights stays below.
_TEXT_BYTES_MAX = 8192


class PolicyError(ValueError):
    """Not a policy, or one that this machine lacks the weights for: libmpol's own sentence, which
    says what is wrong and what is accepted."""


class Mode(enum.IntEnum):
    """MPOL_* of set_mempolicy(2): DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, PREFERRED_MANY,
    WEIGHTED_INTERLEAVE. Numbers are the kernel's. Source: linux/mempolicy.h."""
    DEFAULT = 0
    PREFERRED = 1
    BIND = 2
    INTERLEAVE = 3
    LOCAL = 4
    PREFERRED_MANY = 5
    WEIGHTED_INTERLEAVE = 6


class Flag(enum.IntFlag):
    """MPOL_F_* of set_mempolicy(2) that go with a mode: STATIC_NODES, RELATIVE_NODES,
    NUMA_BALANCING. Numbers are the kernel's. Source: linux/mempolicy.h."""
    STATIC_NODES = 1 << 15
    RELATIVE_NODES = 1 << 14
    NUMA_BALANCING = 1 << 13


class Weights(enum.IntEnum):
    """Where a policy's weights come from: NONE, the kernel's table, and all 1 where it has none;
    GIVEN, with the policy; AUTO, worked out from the machine's bandwidths, and SYSTEM, copied from
    the kernel's table, both when the text was parsed. Source: enum mpol_weights."""
    NONE = 0
    GIVEN = 1
    AUTO = 2
    SYSTEM = 3


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class Policy:
    """A memory policy: frozen, hashable, equal to another of the same parts. What exists is one
    that libmpol takes; PolicyError: these parts make none. OverflowError: a node, a weight or a
    flag that no policy has room for.

    mode         Mode
    flags        Flag
    nodes        as the user gave them, ascending; any iterable is taken
    home_node    of MPOL_BIND and MPOL_PREFERRED_MANY, or None
    weights      1 to 255 each, of the nodes in their order; empty without weights of one's own
    weight_source  Weights; GIVEN where weights are, if it is not named. Not compared.

    str(policy) is the kernel's text, which Policy.parse() gives the same policy for. Immutable, so
    threads may share it. Source: set_mempolicy(2), struct mpol_policy."""

    mode: Mode
    flags: Flag
    nodes: Tuple[int, ...]
    home_node: Optional[int]
    weights: Tuple[int, ...]
    weight_source: Weights = dataclasses.field(compare=False)
    _text: str = dataclasses.field(compare=False)

    def __init__(self, mode: Mode, nodes: Iterable[int] = (), flags: Flag = Flag(0),
                 home_node: Optional[int] = None, weights: Iterable[int] = (),
                 weight_source: Optional[Weights] = None) -> None:
        kept = tuple(weights)
        if weight_source is None:
            weight_source = Weights.GIVEN if kept else Weights.NONE
        parts = {"mode": Mode(mode), "flags": Flag(flags), "nodes": tuple(sorted(set(nodes))),
                 "home_node": home_node, "weights": kept, "weight_source": Weights(weight_source)}
        for name, value in parts.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_text", self._format())

    @classmethod
    def parse(cls, text: str) -> Policy:
        """The policy that the text means, in the spelling of the kernel, of mpol(1), numactl,
        systemd or OCI, to this machine: "interleave" alone names its nodes with memory.
        PolicyError: libmpol's line on what is wrong with it. Thread-safe. Source: mpol_parse."""
        raw = text.encode("utf-8", "surrogateescape")
        if b"\0" in raw:
            raise PolicyError("a policy has no null character")
        parsed = _abi.Policy()
        line = ctypes.create_string_buffer(_ERROR_BYTES_MAX)
        err = -_abi.library.mpol_parse(raw, parsed, line, len(line))
        if err in (errno.EINVAL, errno.ENOTSUP):
            raise PolicyError(line.value.decode("utf-8", "replace"))
        if err:
            raise OSError(err, f"can't parse {text!r}")
        return from_c(parsed)

    def _format(self) -> str:
        text = ctypes.create_string_buffer(_TEXT_BYTES_MAX)
        size = _abi.library.mpol_format(to_c(self), text, len(text))
        if size < 0:
            raise PolicyError(f"libmpol takes no policy of these parts: {self._parts()}")
        return text.value.decode("ascii")

    def _parts(self) -> str:
        flags = "|".join(flag.name or "" for flag in Flag if flag in self.flags) or "none"
        return (f"mode {self.mode.name}, flags {flags}, nodes {list(self.nodes)}, "
                f"home node {self.home_node}, weights {list(self.weights)}")

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"mpol.Policy.parse({self._text!r})"


PolicyOrText = Union[Policy, str]


def policy_of(wanted: PolicyOrText) -> Policy:
    """A policy, of one or of a text."""
    return wanted if isinstance(wanted, Policy) else Policy.parse(wanted)


def from_c(parsed: Any) -> Policy:
    """Of a struct mpol_policy."""
    nodes = _abi.mask_to_nodes(parsed.nodes)
    own = parsed.weight_source != Weights.NONE
    return Policy(Mode(parsed.mode), nodes, Flag(parsed.flags),
                  None if parsed.home_node == _abi.NO_NODE else parsed.home_node,
                  parsed.weights[:len(nodes)] if own else (), Weights(parsed.weight_source))


def to_c(policy: Policy) -> Any:
    """A struct mpol_policy."""
    nodes, given = policy.nodes, policy.weights
    if len(given) != (len(nodes) if policy.weight_source else 0):
        raise PolicyError(f"{len(given)} weights do not go with {len(nodes)} nodes and "
                          f"{policy.weight_source.name}")
    _abi.bounded("number of weights", len(given), 0, _abi.WEIGHTED_NODES)
    weights = (ctypes.c_uint8 * _abi.WEIGHTED_NODES)(
        *(_abi.bounded("weight", weight, 1, 255) for weight in given))
    home = _abi.NO_NODE if policy.home_node is None else policy.home_node
    return _abi.Policy(policy.mode, _abi.unsigned("flags", policy.flags, 32),
                       _abi.bounded("home_node", home, _abi.NO_NODE, _abi.NODES_MAX - 1),
                       policy.weight_source,
                       _abi.nodes_to_mask(nodes, ctypes.c_uint64 * _abi.NODE_WORDS), weights)
