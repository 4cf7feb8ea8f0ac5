#pragma once

#include <array>

#include "tests/reliability/world.h"

// Writers whose whole state follows from one number each: how far they came. So any state of the
// database, also that of a backup, can be told right or wrong.
namespace ragstone::index::reliability {

inline constexpr std::string_view kNumberedCollection = "numbered";
inline constexpr size_t kNumberedWriters = 4;
// A writer has its last so many records, and one that holds its number.
inline constexpr int64_t kNumberedWindow = 40;

using Numbers = std::array<int64_t, kNumberedWriters>;

Status CreateNumbered(const World& world);

// Does the step that makes the writer's number `number`: deletes its oldest record, then writes a
// new one and its number together.
Status NumberedStep(const World& world, uint64_t seed, size_t writer, int64_t number);

// A violation unless the collection is as its writers left it, each at a number from `least` to
// `most`; returns which.
Result<Numbers> CheckNumbered(const World& world, uint64_t seed, const Numbers& least,
                              const Numbers& most);

}  // namespace ragstone::index::reliability
