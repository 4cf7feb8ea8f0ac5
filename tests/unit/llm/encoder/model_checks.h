#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "llm/encoder/bert_model.h"

namespace ragstone::llm {

// What tests of reading models share.

std::vector<float> ValuesOf(const FloatMatrix& matrix);

// All matrices and all vectors of a model, in the order of the struct.
std::vector<const FloatMatrix*> MatricesOf(const BertModel& model);
std::vector<std::vector<float>> VectorsOf(const BertModel& model);

void ExpectSame(const BertModel& found, const BertModel& wanted);

// INVALID_ARGUMENT with this reason and this text in its message.
void ExpectError(const Status& status, Reason reason, const std::string& text);

}  // namespace ragstone::llm
