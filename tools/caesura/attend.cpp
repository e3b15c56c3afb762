// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "arrays.hpp"
#include "attention_step.hpp"
#include "commands.hpp"
#include "mask_file.hpp"
#include "numbers.hpp"
#include "options.hpp"
#include "report.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <iostream>
#include <memory>

namespace caesura::tools {

namespace {

struct AttendArguments {
  ArrayFiles files;
  std::string output;
  std::string dtype;
  MaskArguments mask;
  ScoreArguments score;
  std::string variant;
};

bool is_kind(const std::string& name) {
  const auto names = mask_kind_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

MaskInput mask_of(const MaskArguments& arguments, const Arrays& arrays) {
  const ProblemSize& size = arrays.size;
  if (is_kind(arguments.kind_or_file)) {
    DocumentMask rule = arguments.rule;
    rule.kind = parse_mask_kind("--mask", arguments.kind_or_file);
    const auto batch = static_cast<std::size_t>(arrays.batch);
    const std::vector<std::int64_t> lengths_q(batch, size.total_q / arrays.batch);
    const std::vector<std::int64_t> lengths_k(batch, size.total_k / arrays.batch);
    return mask_of_documents(Documents::from_lengths(lengths_q, lengths_k), rule, "--mask");
  }
  const std::string& file = arguments.kind_or_file;
  require(std::filesystem::exists(file), [&] {
    return text("--mask = ", file, ": must be ", one_of(mask_kind_names()), ", or a mask file that exists");
  });
  require(arguments.given.empty(), [&] {
    return text(arguments.given, ": must not stand beside a mask file: ", file, " says all of the mask");
  });
  MaskInput input = read_mask_file(file);
  const auto same = [&](const std::filesystem::path& array, const char* what, std::int64_t rows, std::int64_t total) {
    require(rows == total, [&] {
      return text(array.string(), ": ", rows, " rows", arrays.batch > 1 ? " in all" : "", ": must be ", total,
                  ", as many as ", file, " has ", what);
    });
  };
  same(arrays.q.file, "queries", size.total_q, input.mask.total_q());
  same(arrays.k.file, "keys", size.total_k, input.mask.total_k());
  return input;
}

template <AttentionScalar Scalar>
std::vector<NpyArray> attend_scalar(const Mask& mask, const Arrays& arrays, const AttentionOptions& options) {
  const Space space;
  const ProblemSize& size = arrays.size;
  require_memory(size);
  const bool backward = size.passes == Passes::forward_and_backward;
  const AttentionPlan<Space> plan(space, mask, {.passes = size.passes});
  const Tensors<Scalar> tensors(size);
  copy_in(arrays.q, tensors.q);
  copy_in(arrays.k, tensors.k);
  copy_in(arrays.v, tensors.v);
  if (size.sinks > 0) copy_in(*arrays.sink, tensors.sink);
  if (backward) copy_in(*arrays.dout, tensors.dout);

  run_forward(space, plan, tensors, options);
  if (backward) run_backward(space, plan, tensors, options);
  space.fence("caesura::tools::attend");

  std::vector<NpyArray> results = {copy_out("out.npy", tensors.out, arrays.shape_of_out()),
                                   copy_out("lse.npy", tensors.lse, arrays.shape_of_lse())};
  if (backward) {
    results.push_back(copy_out("dq.npy", tensors.dq, arrays.q.shape));
    results.push_back(copy_out("dk.npy", tensors.dk, arrays.k.shape));
    results.push_back(copy_out("dv.npy", tensors.dv, arrays.v.shape));
    if (size.sinks > 0) results.push_back(copy_out("dsink.npy", tensors.dsink, arrays.sink->shape));
  }
  return results;
}

int attend(const AttendArguments& arguments) {
  require(!std::filesystem::exists(arguments.output) || std::filesystem::is_directory(arguments.output),
          [&] { return text("--output = ", arguments.output, ": must be a folder, or not exist yet"); });
  const Arrays arrays = read_arrays(arguments.files, arguments.dtype);
  const MaskInput input = mask_of(arguments.mask, arrays);
  AttentionOptions options = to_options(arguments.score);
  options.variant = arguments.variant;
  const std::vector<NpyArray> results =
      with_scalar(arrays.size.type, [&]<class Scalar>() { return attend_scalar<Scalar>(input.mask, arrays, options); });

  write_together(results, arguments.output);
  Table table;
  for (const NpyArray& array : results) {
    const ScalarType type = array.type == ScalarType::bfloat16 ? ScalarType::float32 : array.type;
    table.row({(std::filesystem::path(arguments.output) / array.file).string(), shape_text(array.shape),
               std::string(name_of(type))});
  }
  std::cout << table.print(3);
  return exit_fine;
}

}  // namespace

void add_attend(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<AttendArguments>();
  CLI::App& command = *app.add_subcommand("attend", "Attention on your own .npy arrays");
  command.footer(
      "Example: caesura attend --q q.npy --k k.npy --v v.npy --mask mask.json --dout dout.npy --output results\n"
      "Exit status: 0 fine, 2 wrong usage or bad input, 3 a failure at run time. Files are written at the end only.");
  ArrayFiles& files = arguments->files;
  command.add_option("--q", files.q, "(tokens, heads_q, dim), or (batch, tokens, heads_q, dim)")
      ->required()
      ->type_name("FILE.npy")
      ->group("Arrays");
  command.add_option("--k", files.k, "(tokens_k, heads_kv, dim), or with a batch")
      ->required()
      ->type_name("FILE.npy")
      ->group("Arrays");
  command.add_option("--v", files.v, "(tokens_k, heads_kv, dim_v), or with a batch")
      ->required()
      ->type_name("FILE.npy")
      ->group("Arrays");
  command.add_option("--dout", files.dout, "Gradient of out: writes dq, dk, dv (and dsink) too")
      ->type_name("FILE.npy")
      ->group("Arrays");
  command.add_option("--sink", files.sink, "Sink logits, (heads_q) or (heads_q, sinks)")
      ->type_name("FILE.npy")
      ->group("Arrays");
  command.add_option("--output", arguments->output, "Folder for out.npy, lse.npy, ...; made if missing")
      ->required()
      ->type_name("DIR")
      ->group("Arrays");
  command
      .add_option_function<std::string>(
          "--dtype",
          [arguments](const std::string& value) {
            parse_scalar_type("--dtype", value);
            arguments->dtype = value;
          },
          "Convert to double, float, half or bfloat16 first (default: the arrays' type)")
      ->type_name("TYPE")
      ->group("Arrays");
  add_mask_options(command, arguments->mask, MaskArgument::kind_or_file);
  add_score_options(command, arguments->score);
  command.add_option("--variant", arguments->variant, "Force this kernel (caesura info lists them)")->type_name("NAME");
  command.callback([arguments, &chosen] { chosen = [arguments] { return attend(*arguments); }; });
}

}  // namespace caesura::tools
