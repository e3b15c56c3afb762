// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "mask_file.hpp"

#include "json_reader.hpp"
#include "options.hpp"
#include <caesura/error.hpp>

#include <algorithm>

namespace caesura::tools {

namespace {

constexpr std::int64_t longest = max_tokens - 1;

std::vector<std::int64_t> lengths_of(const JsonValue& list) {
  std::vector<std::int64_t> lengths;
  std::int64_t sum = 0;
  for (const JsonValue& entry : list.array()) {
    lengths.push_back(entry.integer(0, longest));
    sum += lengths.back();
    if (sum > longest) entry.fail(text("must leave the sum of the lengths at or below ", longest));
  }
  if (lengths.empty()) list.fail("must have at least one length");
  return lengths;
}

DocumentMask rule_of(const JsonValue& root) {
  DocumentMask rule;
  if (root.has("mask")) {
    const std::string name = root["mask"].string();
    const auto names = mask_kind_names();
    if (std::find(names.begin(), names.end(), name) == names.end()) root["mask"].fail("must be " + one_of(names));
    rule.kind = parse_mask_kind("mask", name);
  }
  if (root.has("window")) {
    const auto [left, right] = root["window"].two("must be [left, right]");
    rule.window = {left.integer(-1, max_tokens), right.integer(-1, max_tokens)};
  }
  if (root.has("chunk")) rule.chunk = root["chunk"].integer(1, max_tokens);
  if (root.has("prefix")) rule.prefix = root["prefix"].integer(0, max_tokens);
  return rule;
}

MaskInput documents_form(const JsonValue& root, const std::string& source) {
  root.require_keys({"documents", "documents_k", "mask", "window", "chunk", "prefix"});
  const auto lengths_q = lengths_of(root["documents"]);
  const DocumentMask rule = rule_of(root);
  if (!root.has("documents_k")) return mask_of_documents(Documents::from_lengths(lengths_q), rule, source);
  const auto lengths_k = lengths_of(root["documents_k"]);
  if (lengths_k.size() != lengths_q.size()) {
    root["documents_k"].fail(text("must have ", lengths_q.size(), " lengths, as documents has"));
  }
  return mask_of_documents(Documents::from_lengths(lengths_q, lengths_k), rule, source);
}

Range range_of(const JsonValue& pair, std::int64_t total, const char* total_name) {
  const auto [begin, end] = pair.two("must be [begin, end]");
  const Range range = {begin.integer(0, longest), end.integer(0, longest)};
  if (range.begin > range.end) pair.fail("must begin at or before its end");
  if (range.end > total) pair.fail(text("must end at or before ", total_name, " = ", total));
  return range;
}

std::int64_t bound_of(const JsonValue& value, std::int64_t unbounded) {
  return value.is_null() ? unbounded : value.integer(-max_tokens, max_tokens);
}

BandSlice slice_of(const JsonValue& entry, std::int64_t total_q, std::int64_t total_k) {
  entry.require_keys({"q", "k", "type", "diagonal"});
  for (const char* key : {"q", "k"}) {
    if (!entry.has(key)) entry.fail(text("must have \"", key, "\""));
  }
  if (entry.has("type") == entry.has("diagonal")) entry.fail("must have either \"type\" or \"diagonal\"");
  const Range q = range_of(entry["q"], total_q, "total_q");
  const Range k = range_of(entry["k"], total_k, "total_k");
  if (entry.has("diagonal")) {
    const auto [first, second] = entry["diagonal"].two("must be [lo or null, hi or null]");
    const std::int64_t lo = bound_of(first, BandSlice::unbounded_lo);
    const std::int64_t hi = bound_of(second, BandSlice::unbounded_hi);
    if (lo > hi) entry["diagonal"].fail("must have lo at or below hi");
    return {q.begin, q.end, k.begin, k.end, lo, hi};
  }
  const std::string type = entry["type"].string();
  if (type == "full") return BandSlice::full(q, k);
  if (type == "causal") return BandSlice::causal(q, k);
  if (type == "causal_top_left") return BandSlice::causal_top_left(q, k);
  if (type == "inverse_causal") return BandSlice::inverse_causal(q, k);
  if (type == "bi_causal") return BandSlice::bi_causal(q, k);
  entry["type"].fail("must be " + one_of(mask_kind_names()));
}

MaskInput slices_form(const JsonValue& root, const std::string& source) {
  root.require_keys({"total_q", "total_k", "slices"});
  for (const char* key : {"total_q", "slices"}) {
    if (!root.has(key)) root.fail(text("must have \"", key, "\" beside the other keys of a mask by slices"));
  }
  const std::int64_t total_q = root["total_q"].integer(0, longest);
  const std::int64_t total_k = root.has("total_k") ? root["total_k"].integer(0, longest) : total_q;
  std::vector<BandSlice> slices;
  for (const JsonValue& entry : root["slices"].array()) slices.push_back(slice_of(entry, total_q, total_k));
  Mask mask = Mask::from_slices(total_q, total_k, slices);
  return {.mask = std::move(mask),
          .source = source,
          .rule = text(slices.size(), slices.size() == 1 ? " slice" : " slices")};
}

}  // namespace

MaskInput read_mask_file(const std::filesystem::path& file) {
  const JsonValue root = JsonValue::read(file);
  root.require_keys({"documents", "documents_k", "mask", "window", "chunk", "prefix", "total_q", "total_k", "slices"});
  const bool by_slices = root.has("slices") || root.has("total_q") || root.has("total_k");
  if (by_slices && root.has("documents"))
    root["documents"].fail("must not stand beside the keys of a mask by slices (total_q, total_k, slices)");
  if (!by_slices && !root.has("documents")) root.fail("must have \"documents\", or \"total_q\" and \"slices\"");
  try {
    return by_slices ? slices_form(root, file.string()) : documents_form(root, file.string());
  } catch (const Error& error) {
    // What the library finds (overlaps) names no file.
    const std::string prefix = file.string() + ": ";
    if (std::string_view(error.what()).starts_with(prefix)) throw;
    throw Error(error.kind(), prefix + error.what());
  }
}

MaskInput mask_of(const LengthArguments& lengths, const MaskArguments& mask, const std::string& mask_file) {
  if (mask_file.empty())
    return mask_of_documents(Documents::from_lengths(lengths.lengths()), mask.rule, lengths.source());
  const std::string beside = lengths.given().empty() ? mask.given : lengths.given();
  require(beside.empty(), [&] {
    return text("--mask-file = ", mask_file, ": must not stand beside ", beside, ": the file says all of the mask");
  });
  return read_mask_file(mask_file);
}

}  // namespace caesura::tools
