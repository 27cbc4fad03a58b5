#include "cli/temporaries.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <utility>

namespace pfs::cli {
namespace {

constexpr std::size_t kMost = 8;

enum class State : int { kFree, kFilled, kReady };

struct Slot {
  std::atomic<State> state{State::kFree};
  std::array<char, PATH_MAX> path{};
};
static_assert(std::atomic<State>::is_always_lock_free, "a handler of signals may take no lock");

// a handler of signals is handed nothing: this alone has to be found without a pointer
constinit std::array<Slot, kMost> slots{};

}  // namespace

Temporary::Temporary(const std::string& path) {
  if (path.size() >= PATH_MAX) return;
  for (std::size_t i = 0; i < kMost; ++i) {
    auto& slot = slots[i];
    auto expected = State::kFree;
    if (!slot.state.compare_exchange_strong(expected, State::kFilled)) continue;
    slot.path[path.copy(slot.path.data(), path.size())] = '\0';
    slot.state.store(State::kReady);
    slot_ = i;
    return;
  }
}

Temporary::Temporary(Temporary&& other) noexcept : slot_(std::exchange(other.slot_, std::nullopt)) {}

Temporary& Temporary::operator=(Temporary&& other) noexcept {
  if (this == &other) return *this;
  release();
  slot_ = std::exchange(other.slot_, std::nullopt);
  return *this;
}

void Temporary::release() noexcept {
  if (slot_) slots[*slot_].state.store(State::kFree);
  slot_.reset();
}

void remove_temporaries() noexcept {
  for (std::size_t i = kMost; i-- > 0;) {
    const auto& slot = slots[i];
    if (slot.state.load() != State::kReady) continue;
    if (unlink(slot.path.data()) != 0) rmdir(slot.path.data());
  }
}

}  // namespace pfs::cli
