// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "npy.hpp"

#include "numbers.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <map>

namespace caesura::tools {

static_assert(std::endian::native == std::endian::little, "npy: the program reads and writes little-endian files only");

namespace {

constexpr std::string_view magic = "\x93NUMPY";

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& message) {
  throw Error(ErrorKind::invalid_argument, text(file.string(), ": ", message));
}

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string take(std::istream& stream, std::size_t count, const std::filesystem::path& file) {
  std::string bytes(count, '\0');
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(count)))
    fail(file, "ends inside its header: must be a whole .npy file");
  return bytes;
}

/// The value of a key in the header, which is a Python dictionary literal: a text in quotes, a tuple, or a word.
std::string header_value(const std::string& header, const std::string& key, const std::filesystem::path& file) {
  const auto no_value = [&] { fail(file, text("header without '", key, "': must be a .npy file")); };
  const std::size_t at = std::min(header.find("'" + key + "'"), header.find('"' + key + '"'));
  if (at == std::string::npos) no_value();
  const std::size_t begin = header.find_first_not_of(" :", at + key.size() + 2);
  if (begin == std::string::npos) no_value();
  const char open = header[begin];
  const bool enclosed = open == '\'' || open == '"' || open == '(' || open == '[';
  const char* close = open == '(' ? ")" : open == '[' ? "]" : open == '"' ? "\"" : "'";
  const std::size_t end = enclosed ? header.find(close, begin + 1) : header.find_first_of(" ,}", begin);
  if (end == std::string::npos) no_value();
  return header.substr(begin, end - begin + (enclosed ? 1 : 0));
}

ScalarType type_of(const std::string& descr, const std::filesystem::path& file) {
  const std::map<std::string, ScalarType> types = {
      {"'<f8'", ScalarType::float64}, {"'<f4'", ScalarType::float32}, {"'<f2'", ScalarType::float16}};
  std::string name = descr;
  std::replace(name.begin(), name.end(), '"', '\'');
  const auto found = types.find(name);
  if (found == types.end())
    fail(file, text("dtype = ", descr, ": must be little-endian float64, float32 or float16 ('<f8', '<f4' or '<f2')"));
  return found->second;
}

std::vector<std::int64_t> shape_of(const std::string& tuple, const std::filesystem::path& file) {
  std::vector<std::int64_t> shape;
  if (tuple[0] != '(') fail(file, text("shape = ", tuple, ": must be a tuple of whole numbers"));
  for (const std::string& entry : split(std::string_view(tuple).substr(1, tuple.size() - 2), ',')) {
    const std::string_view digits = trimmed(entry);
    if (digits.empty()) continue;
    const auto extent = to_integer(digits);
    if (!extent || *extent < 0) fail(file, text("shape = ", tuple, ": must be a tuple of whole numbers"));
    shape.push_back(*extent);
  }
  return shape;
}

/// Elements of a Fortran-ordered array in C order.
std::vector<std::byte> to_c_order(const NpyArray& array) {
  const auto width = static_cast<std::size_t>(bytes_of(array.type));
  std::vector<std::byte> result(array.bytes.size());
  const std::size_t rank = array.shape.size();
  std::vector<std::int64_t> index(rank, 0);
  for (std::int64_t to = 0; to < array.size(); ++to) {
    std::int64_t from = 0;
    for (std::size_t i = rank; i-- > 0;) from = from * array.shape[i] + index[i];
    std::memcpy(&result[static_cast<std::size_t>(to) * width], &array.bytes[static_cast<std::size_t>(from) * width],
                width);
    for (std::size_t i = rank; i-- > 0 && ++index[i] == array.shape[i];) index[i] = 0;
  }
  return result;
}

}  // namespace

std::int64_t NpyArray::size() const {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;  // whatever the others are
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string result = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) result += text(i == 0 ? "" : ", ", shape[i]);
  return result + (shape.size() == 1 ? ",)" : ")");
}

NpyArray read_npy(const std::filesystem::path& file) {
  if (std::filesystem::is_directory(file)) fail(file, "must be a .npy file, not a folder");
  std::ifstream stream(file, std::ios::binary);
  if (!stream) fail(file, "cannot be read: must be a .npy file");
  std::string start(magic.size() + 2, '\0');
  if (!stream.read(start.data(), static_cast<std::streamsize>(start.size())) || !start.starts_with(magic)) {
    fail(file, "does not start as a .npy file: must be one (numpy.save)");
  }
  const auto version = static_cast<unsigned char>(start[magic.size()]);
  if (version < 1 || version > 3) fail(file, text("format version = ", int{version}, ": must be 1, 2 or 3"));
  const std::size_t length = little_endian(take(stream, version == 1 ? 2 : 4, file));
  if (length > 1 << 20) fail(file, text("header of ", length, " bytes: must be a .npy file"));
  const std::string header = take(stream, length, file);

  NpyArray array{.file = file,
                 .type = type_of(header_value(header, "descr", file), file),
                 .shape = shape_of(header_value(header, "shape", file), file),
                 .bytes = {}};
  // Compared with the file before anything is allocated: the header may say what it likes.
  const auto begin = static_cast<std::int64_t>(stream.tellg());
  const auto there = static_cast<std::int64_t>(std::filesystem::file_size(file)) - begin;
  std::int64_t needed = bytes_of(array.type);
  for (const std::int64_t extent : array.shape) {
    if (extent != 0 && needed > there / extent)
      needed = there + 1;  // already too much; no overflow
    else
      needed *= extent;
    if (extent == 0) break;
  }
  if (needed > there) {
    fail(file, text("shape = ", shape_text(array.shape), ": needs more than the ", there,
                    " bytes that follow the header: the file must be whole"));
  }
  array.bytes.resize(static_cast<std::size_t>(array.size() * bytes_of(array.type)));
  stream.read(reinterpret_cast<char*>(array.bytes.data()), static_cast<std::streamsize>(array.bytes.size()));
  if (!stream) fail(file, "cannot be read to its end");
  if (header_value(header, "fortran_order", file) == "True") array.bytes = to_c_order(array);
  return array;
}

void write_npy(const NpyArray& array, const std::filesystem::path& file) {
  const bool widen = array.type == ScalarType::bfloat16;
  const char* descr = array.type == ScalarType::float64 ? "<f8" : array.type == ScalarType::float16 ? "<f2" : "<f4";
  std::string header =
      text("{'descr': '", descr, "', 'fortran_order': False, 'shape': ", shape_text(array.shape), ", }");
  // Magic, version, length and header together are a multiple of 64; the header ends with a newline.
  header.append(63 - (magic.size() + 4 + header.size()) % 64, ' ').push_back('\n');
  std::ofstream stream(file, std::ios::binary);
  stream << magic << '\1' << '\0' << static_cast<char>(header.size() & 0xff) << static_cast<char>(header.size() >> 8)
         << header;
  if (widen) {
    for (std::size_t i = 0; i < array.bytes.size(); i += 2) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, &array.bytes[i], 2);
      const float value = bfloat16::from_bits(bits);
      stream.write(reinterpret_cast<const char*>(&value), 4);
    }
  } else {
    stream.write(reinterpret_cast<const char*>(array.bytes.data()), static_cast<std::streamsize>(array.bytes.size()));
  }
  stream.close();
  require(
      stream.good(), [&] { return text(file.string(), ": cannot be written"); }, ErrorKind::resources);
}

}  // namespace caesura::tools
