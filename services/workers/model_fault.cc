#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "services/workers/model_services.h"

namespace ragstone::services {

void MaybeCrashForTest() {
  static const char* const file = std::getenv("RAGSTONE_TEST_FAULT_FILE");
  if (file == nullptr || file[0] == '\0') return;
  // The file is removed first, so that the request succeeds when it is sent again.
  if (unlink(file) == 0) raise(SIGSEGV);
}

}  // namespace ragstone::services
