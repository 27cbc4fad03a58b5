// Must not pass clang's thread-safety analysis: what a mutex guards is read without it.

#include "base/sync.h"

class Counter {
 public:
  int read() const { return value_; }

 private:
  pfs::Mutex mutex_{pfs::LockRank::kLeaf};
  int value_ PFS_GUARDED_BY(mutex_) = 0;
};

int main() { return Counter().read(); }
