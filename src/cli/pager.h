#pragma once

#include <sys/types.h>

namespace pfs::cli {

/// While it lives stdout goes through $PAGER, by default `less -FRX`: a list that fits on the screen is
/// printed as it is. The destructor waits until the person has seen enough. Where no pager can be
/// started stdout stays what it is. One at a time; stdout is a terminal.
class Pager {
 public:
  Pager();
  ~Pager();
  Pager(const Pager&) = delete;
  Pager& operator=(const Pager&) = delete;

 private:
  int terminal_ = -1;  // stdout as it was
  pid_t pid_ = -1;
  void (*on_interrupt_)(int) = nullptr;
};

}  // namespace pfs::cli
