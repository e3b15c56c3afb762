// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "fiber.hpp"

#include <boost/context/fixedsize_stack.hpp>
#include <boost/context/preallocated.hpp>

#include <utility>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
namespace {
void __sanitizer_start_switch_fiber(void**, const void*, std::size_t) {}
void __sanitizer_finish_switch_fiber(void*, const void**, std::size_t*) {}
void __asan_unpoison_memory_region(const void*, std::size_t) {}
}  // namespace
#endif

namespace caesura::cuda_on_host {

namespace {

constexpr std::size_t stack_bytes = std::size_t{256} << 10;

/// Stacks of fibers that ended; pages that no fiber touched take no memory.
class Stacks {
 public:
  ~Stacks() {
    for (boost::context::stack_context& stack : free_) allocator_.deallocate(stack);
  }
  boost::context::stack_context take() {
    if (free_.empty()) return allocator_.allocate();
    const boost::context::stack_context result = free_.back();
    free_.pop_back();
    return result;
  }
  void give(const boost::context::stack_context& stack) { free_.push_back(stack); }

 private:
  boost::context::fixedsize_stack allocator_{stack_bytes};
  std::vector<boost::context::stack_context> free_;
};

Stacks& stacks() {
  thread_local Stacks result;
  return result;
}

const void* bottom_of(const boost::context::stack_context& stack) {
  return static_cast<const char*>(stack.sp) - stack.size;
}

/// The stack belongs to the pool, which gets it back from `~Fiber`.
struct KeepStack {
  void deallocate(boost::context::stack_context&) {}
};

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(stacks().take()) {
  __asan_unpoison_memory_region(bottom_of(stack_), stack_.size);
  fiber_ = boost::context::fiber(std::allocator_arg, boost::context::preallocated(stack_.sp, stack_.size, stack_),
                                 KeepStack(), [this](boost::context::fiber&& resumer) {
                                   resumer_ = std::move(resumer);
                                   enter();
                                   return std::move(resumer_);
                                 });
}

Fiber::~Fiber() { stacks().give(stack_); }

void Fiber::enter() {
  __sanitizer_finish_switch_fiber(nullptr, &resumer_bottom_, &resumer_size_);
  body_();
  __sanitizer_start_switch_fiber(nullptr, resumer_bottom_, resumer_size_);
}

void Fiber::resume() {
  __sanitizer_start_switch_fiber(&resumer_fake_stack_, bottom_of(stack_), stack_.size);
  fiber_ = std::move(fiber_).resume();
  __sanitizer_finish_switch_fiber(resumer_fake_stack_, nullptr, nullptr);
}

void Fiber::pause() {
  __sanitizer_start_switch_fiber(&fake_stack_, resumer_bottom_, resumer_size_);
  resumer_ = std::move(resumer_).resume();
  __sanitizer_finish_switch_fiber(fake_stack_, &resumer_bottom_, &resumer_size_);
}

}  // namespace caesura::cuda_on_host
