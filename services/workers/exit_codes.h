#pragma once

namespace ragstone::services {

// A worker that could not be interrupted in another way ends itself with this code when its request
// takes too long; as of timeout(1). The request is answered with TIME_LIMIT, not as a crash.
inline constexpr int kTimeLimitExit = 124;
// A model worker whose GPU has failed for the rest of its life.
inline constexpr int kDeviceFailedExit = 3;

}  // namespace ragstone::services
