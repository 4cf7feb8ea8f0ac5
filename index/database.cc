#include "index/database.h"

#include "index/internal/database_impl.h"

namespace ragstone::index {

Result<std::unique_ptr<Database>> Database::Open(const DatabaseOptions& options,
                                                 const Clock* clock) {
  if (options.dir.empty()) {
    return InvalidArgument(Reason::kInvalidSetting,
                           "the data directory's name is empty; name a directory");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Core> core, Core::Open(options, clock));
  auto database = std::make_unique<DatabaseImpl>(std::move(core));
  RETURN_IF_ERROR(database->Start());
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace ragstone::index
