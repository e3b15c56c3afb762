// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "lengths.hpp"

#include "numbers.hpp"
#include "options.hpp"
#include <caesura/documents.hpp>
#include <caesura/error.hpp>

#include <fstream>

namespace caesura::tools {

namespace {
constexpr std::int64_t longest = max_tokens - 1;
constexpr std::int64_t most_repeats = 1 << 24;

bool is_length(const std::optional<std::int64_t>& value) { return value && *value >= 0 && *value <= longest; }
}  // namespace

Lengths read_lengths(const std::filesystem::path& file) {
  require(!std::filesystem::is_directory(file), [&] { return text(file.string(), ": must be a file, not a folder"); });
  std::ifstream stream(file, std::ios::binary);
  require(stream.good(), [&] { return text(file.string(), ": cannot be read: must be a file of document lengths"); });
  Lengths lengths;
  std::string line;
  for (std::int64_t number = 1; std::getline(stream, line); ++number) {
    const std::string_view entry = trimmed(std::string_view(line).substr(0, line.find('#')));
    if (entry.empty()) continue;
    const auto length = to_integer(entry);
    require(is_length(length), [&] {
      return text(file.string(), ": line ", number, " = ", quoted(entry),
                  ": must be a document length, a whole number from 0 to ", longest);
    });
    lengths.push_back(*length);
  }
  require(!lengths.empty(), [&] { return text(file.string(), ": holds no document length: must have at least one"); });
  return lengths;
}

Lengths parse_lengths(const std::string& where, const std::string& list) {
  Lengths lengths;
  for (const std::string& entry : split(list, ',')) {
    const auto x = entry.find('x');
    const auto length = to_integer(entry.substr(0, x));
    const auto count = x == std::string::npos ? 1 : to_integer(entry.substr(x + 1));
    require(is_length(length) && count && *count >= 1 && *count <= most_repeats, [&] {
      return text(where, " = ", quoted(list), ": entry ", quoted(entry), " must be a length, a whole number from 0 to ",
                  longest, ", or LENGTHxCOUNT with a count up to ", most_repeats);
    });
    lengths.insert(lengths.end(), static_cast<std::size_t>(*count), *length);
  }
  return lengths;
}

Lengths pack(const Lengths& lengths, const std::string& source, std::int64_t first_document,
             std::optional<std::int64_t> tokens) {
  const auto count = static_cast<std::int64_t>(lengths.size());
  require(first_document < count, [&] {
    return text("--first-document = ", first_document, ": must be below ", count, ", the number of documents in ",
                source);
  });
  Lengths packed;
  std::int64_t sum = 0;
  for (std::int64_t i = first_document; i < count && (!tokens || sum < *tokens); ++i) {
    const std::int64_t length = lengths[static_cast<std::size_t>(i)];
    packed.push_back(tokens ? std::min(length, *tokens - sum) : length);
    sum += packed.back();
    require(sum <= longest, [&] {
      return text(source, ": more than ", longest, " tokens from document ", first_document,
                  " on: must be fewer (--tokens N takes the first N)");
    });
  }
  require(!tokens || sum == *tokens, [&] {
    return text("--tokens = ", *tokens, ": must be at most ", sum, ", what ", source, " has from document ",
                first_document, " on");
  });
  require(sum > 0,
          [&] { return text(source, ": 0 tokens in ", packed.size(), " documents: must have at least one token"); });
  return packed;
}

std::string LengthArguments::given() const {
  if (!file.empty()) return "LENGTHS";
  if (!documents.empty()) return "--documents";
  if (tokens) return "--tokens";
  return first_document != 0 ? "--first-document" : "";
}

std::string LengthArguments::source() const { return file.empty() ? "--documents" : file; }

Lengths LengthArguments::lengths() const {
  require(!file.empty() || !documents.empty(),
          [] { return text("LENGTHS: not given: must be a file of document lengths (or use --documents LIST)"); });
  require(file.empty() || documents.empty(),
          [&] { return text("--documents = ", quoted(documents), ": must not stand beside a file, ", file); });
  const Lengths all = file.empty() ? parse_lengths("--documents", documents) : read_lengths(file);
  return pack(all, source(), first_document, tokens);
}

void add_length_options(CLI::App& app, LengthArguments& lengths) {
  constexpr const char* group = "Documents";
  app.add_option("LENGTHS", lengths.file, "File with one document length a line; # starts a comment")
      ->type_name("FILE");
  app.add_option("--documents", lengths.documents,
                 "The lengths themselves: 100,80,76; 34x8192 is 34 tokens 8,192 times")
      ->type_name("LIST")
      ->group(group);
  app.add_option_function<std::string>(
         "--tokens",
         [&lengths](const std::string& value) {
           const auto number = to_integer(value);
           require(is_length(number) && *number > 0,
                   [&] { return text("--tokens = ", value, ": must be a whole number from 1 to ", longest); });
           lengths.tokens = *number;
         },
         "Fill so many tokens and cut the last document (default: all documents)")
      ->type_name("N")
      ->group(group);
  add_integer(app, "--first-document", lengths.first_document, {}, "Start at this document, counted from 0")
      ->default_str("0")
      ->group(group);
}

}  // namespace caesura::tools
