#pragma once

#include "index/internal/keywords/words.h"

// The words of keyword search for the rest of the index.
namespace ragstone::index {

using keywords::SplitTerms;
using keywords::TextTerms;
using keywords::TextWord;

}  // namespace ragstone::index
