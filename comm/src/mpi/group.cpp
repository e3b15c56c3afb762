// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>

#include <mpi/check.hpp>
#include <mpi/group.hpp>
#include <mpi/patience.hpp>

#include <cstdio>
#include <utility>

namespace caesura::comm::impl {

namespace {

constexpr std::string_view constructor = "MpiCommunicator";

// MPI's default is to end the program at an error, and a duplicate has the handler of its original. While this lives,
// the original returns codes instead.
class ReturnsErrors {
 public:
  explicit ReturnsErrors(MPI_Comm communicator) : communicator_(communicator) {
    MPI_Comm_get_errhandler(communicator_, &before_);
    MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN);
  }
  ReturnsErrors(const ReturnsErrors&) = delete;
  ReturnsErrors& operator=(const ReturnsErrors&) = delete;
  ~ReturnsErrors() {
    MPI_Comm_set_errhandler(communicator_, before_);
    MPI_Errhandler_free(&before_);
  }

 private:
  MPI_Comm communicator_;
  MPI_Errhandler before_ = MPI_ERRHANDLER_NULL;
};

void require_mpi(MPI_Comm communicator) {
  const auto demand = [](bool ok, const char* what) {
    require(
        ok, [&] { return text(constructor, ": ", what); }, ErrorKind::communication);
  };
  int initialized = 0, finalized = 0, level = 0, main_thread = 0;
  MPI_Initialized(&initialized);
  demand(initialized, "MPI is not initialized: call MPI_Init_thread first");
  MPI_Finalized(&finalized);
  demand(!finalized, "MPI has been finalized");
  demand(communicator != MPI_COMM_NULL, "communicator = MPI_COMM_NULL: must be a communicator");
  MPI_Query_thread(&level);
  demand(level >= MPI_THREAD_FUNNELED,
         "MPI was initialized with MPI_THREAD_SINGLE: call MPI_Init_thread with MPI_THREAD_FUNNELED or more");
  MPI_Is_thread_main(&main_thread);
  demand(main_thread || level > MPI_THREAD_FUNNELED,
         "with MPI_THREAD_FUNNELED only the thread that initialized MPI may use it");
}

}  // namespace

bool mpi_is_up() {
  int initialized = 0, finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  return initialized && !finalized;
}

std::string seconds_text(std::chrono::duration<double> time) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.3g s", time.count());
  return buffer;
}

std::shared_ptr<MpiGroup> MpiGroup::duplicate(MPI_Comm communicator, std::chrono::milliseconds timeout) {
  require_mpi(communicator);
  const ReturnsErrors scope(communicator);
  int rank = 0;
  mpi_check(MPI_Comm_rank(communicator, &rank), constructor, "MPI_Comm_rank", rank);
  // MPI_Comm_dup would wait forever for a rank that never comes. MPI writes the handle when it likes, also after a
  // time-out: then the place for it is never freed.
  auto own = std::make_unique<MPI_Comm>(MPI_COMM_NULL);
  MPI_Request request = MPI_REQUEST_NULL;
  mpi_check(MPI_Comm_idup(communicator, own.get(), &request), constructor, "MPI_Comm_idup", rank);
  Patience patience(timeout);
  for (int complete = 0; !complete;) {
    mpi_check(MPI_Test(&request, &complete, MPI_STATUS_IGNORE), constructor, "MPI_Comm_idup", rank);
    require(
        complete || patience.pause(),
        [&] {
          static_cast<void>(own.release());
          return text(constructor, ": rank ", rank, ": MPI_Comm_idup is not complete after ",
                      seconds_text(patience.elapsed()), " (time-out ", seconds_text(timeout),
                      "): another rank has not called it, or is gone");
        },
        ErrorKind::communication);
  }
  return std::make_shared<MpiGroup>(*own, timeout);
}

MpiGroup::MpiGroup(MPI_Comm own, std::chrono::milliseconds timeout) : handle_(own), timeout_(timeout) {
  mpi_check(MPI_Comm_set_errhandler(handle_, MPI_ERRORS_RETURN), constructor, "MPI_Comm_set_errhandler", rank_);
  mpi_check(MPI_Comm_rank(handle_, &rank_), constructor, "MPI_Comm_rank", rank_);
  mpi_check(MPI_Comm_size(handle_, &size_), constructor, "MPI_Comm_size", rank_);
}

MpiGroup::~MpiGroup() {
  if (!broken() && mpi_is_up()) MPI_Comm_free(&handle_);
}

void MpiGroup::require_usable(std::string_view operation) const {
  require(
      !broken(), [&] { return text(operation, ": rank ", rank_, ": the communicator failed before: ", first_error_); },
      ErrorKind::communication);
}

void MpiGroup::fail(const std::string& message) {
  if (!broken()) first_error_ = message;
  throw Error(ErrorKind::communication, message);
}

void MpiGroup::check(int code, std::string_view operation, std::string_view call) {
  if (code != MPI_SUCCESS) fail(text(operation, ": rank ", rank_, " of ", size_, ": ", call, ": ", mpi_words(code)));
}

}  // namespace caesura::comm::impl
