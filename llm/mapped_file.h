#pragma once

#include <filesystem>

#include "base/file.h"
#include "base/status.h"

namespace ragstone::llm {

// Maps a model file. If another process makes the file shorter meanwhile, touching the missing
// bytes ends this process; so only import workers map foreign files. INVALID_ARGUMENT for what is
// no regular file, and (EMPTY_FILE) for a file without bytes; ErrnoStatus errors.
Result<MappedFile> MapModelFile(const std::filesystem::path& path);

}  // namespace ragstone::llm
