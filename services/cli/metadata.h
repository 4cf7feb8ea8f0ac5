#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "ragstone/v1/types.pb.h"

namespace ragstone::services::cli {

// Adds entries given as NAME=VALUE, replacing those of the same name. A value is a whole number, a
// number, true or false, a date or time (RFC 3339), or else text; in double quotes it is text
// whatever it looks like. A name given several times makes a list of texts. INVALID_ARGUMENT says
// what is wrong with which.
Status SetMetadata(const std::vector<std::string>& entries, v1::Metadata* metadata);

}  // namespace ragstone::services::cli
