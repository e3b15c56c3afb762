// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <boost/context/fiber.hpp>

#include <functional>

namespace caesura::cuda_on_host {

/// A function that can stop in its middle and go on later: an emulated CUDA thread. Its stack is kept for the next one.
class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  /// Runs the body until it calls `pause` or ends.
  void resume();
  /// Called by the body: goes back to where `resume` was called.
  void pause();
  bool is_done() const { return !fiber_; }

 private:
  void enter();

  std::function<void()> body_;
  boost::context::stack_context stack_;
  boost::context::fiber fiber_, resumer_;
  // What AddressSanitizer has to know of the two stacks.
  void* fake_stack_ = nullptr;
  void* resumer_fake_stack_ = nullptr;
  const void* resumer_bottom_ = nullptr;
  std::size_t resumer_size_ = 0;
};

}  // namespace caesura::cuda_on_host
