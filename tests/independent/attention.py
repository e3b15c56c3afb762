# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

"""Attention in numpy from the formulas: dense matrices in double, one query head at a time."""

import numpy as np

NO_WINDOW = (-1, -1)


def document_pairs(length_q, length_k, mask="causal", window=NO_WINDOW, chunk=0, prefix=0):
    """(length_q, length_k): which query of a document sees which of its keys."""
    i = np.arange(length_q)[:, None]
    j = np.arange(length_k)[None, :]
    bottom_right = i + length_k - length_q
    top_left = i + 0 * j
    aligned = top_left if mask in ("causal_top_left", "inverse_causal") else bottom_right
    kinds = {
        "full": np.ones((length_q, length_k), bool),
        "causal": j <= bottom_right,
        "causal_top_left": j <= i,
        "inverse_causal": j >= i,
        "bi_causal": (j >= i) & (j <= bottom_right),
    }
    near = np.ones((length_q, length_k), bool)
    left, right = window
    if left >= 0:
        near &= aligned - j <= left
    if right >= 0:
        near &= j - aligned <= right
    if chunk > 0:
        near &= np.floor_divide(aligned, chunk) == np.floor_divide(j, chunk)
    return kinds[mask] & (near | (j < prefix))


def visible_pairs(description):
    """(total_q, total_k) of a mask in the form of mask.json."""
    if "slices" in description:
        pairs = np.zeros((description["total_q"], description["total_k"]), bool)
        for piece in description["slices"]:
            (a, b), (c, d) = piece["q"], piece["k"]
            if "diagonal" in piece:
                lo, hi = piece["diagonal"]
                difference = np.arange(c, d)[None, :] - np.arange(a, b)[:, None]
                block = np.ones((b - a, d - c), bool)
                block &= True if lo is None else difference >= lo
                block &= True if hi is None else difference <= hi
            else:
                block = document_pairs(b - a, d - c, piece["type"])
            pairs[a:b, c:d] |= block
        return pairs
    lengths_q = description["documents"]
    lengths_k = description.get("documents_k", lengths_q)
    rule = {name: description[name] for name in ("mask", "window", "chunk", "prefix") if name in description}
    pairs = np.zeros((sum(lengths_q), sum(lengths_k)), bool)
    a = c = 0
    for length_q, length_k in zip(lengths_q, lengths_k):
        pairs[a : a + length_q, c : c + length_k] = document_pairs(length_q, length_k, **rule)
        a, c = a + length_q, c + length_k
    return pairs


def attention(pairs, q, k, v, dout=None, sink=None, scale=None, softcap=0.0):
    """out, lse and, with dout, dq, dk, dv, dsink. Shapes (tokens, heads, dim); sink (heads, sinks)."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    group = q.shape[1] // k.shape[1]
    scale = q.shape[2] ** -0.5 if scale is None else scale
    sinks = np.zeros((q.shape[1], 0)) if sink is None else np.asarray(sink, np.float64).reshape(q.shape[1], -1)
    result = {"out": np.zeros(q.shape[:2] + v.shape[2:]), "lse": np.full(q.shape[:2], -np.inf)}
    if dout is not None:
        dout = np.asarray(dout, np.float64)
        result |= {"dq": np.zeros(q.shape), "dk": np.zeros(k.shape), "dv": np.zeros(v.shape), "dsink": np.zeros(sinks.shape)}
    for h in range(q.shape[1]):
        g = h // group
        raw = scale * q[:, h] @ k[:, g].T
        logits = softcap * np.tanh(raw / softcap) if softcap > 0 else raw
        logits = np.where(pairs, logits, -np.inf)
        with_sinks = np.concatenate([logits, np.broadcast_to(sinks[h], (len(q), sinks.shape[1]))], axis=1)
        with np.errstate(divide="ignore"):
            lse = np.logaddexp.reduce(with_sinks, axis=1, initial=-np.inf)
        # A row that sees nothing has no weights; any finite number keeps the subtraction defined.
        p = np.exp(logits - np.where(np.isfinite(lse), lse, 0)[:, None])
        result["out"][:, h] = p @ v[:, g]
        result["lse"][:, h] = lse
        if dout is None:
            continue
        dp = dout[:, h] @ v[:, g].T
        mean = (p * dp).sum(axis=1, keepdims=True)
        ds = p * (dp - mean)
        if softcap > 0:
            ds *= 1 - np.tanh(raw / softcap) ** 2
        result["dq"][:, h] = scale * ds @ k[:, g]
        result["dk"][:, g] += scale * ds.T @ q[:, h]
        result["dv"][:, g] += p.T @ dout[:, h]
        result["dsink"][h] = -(np.exp(sinks[h][None, :] - lse[:, None]) * mean).sum(axis=0) if sinks.shape[1] else 0
    return result
