#include "tests/unit/llm/encoder/model_checks.h"

#include <gtest/gtest.h>

namespace ragstone::llm {

std::vector<float> ValuesOf(const FloatMatrix& matrix) {
  std::vector<float> values(size_t{matrix.rows} * matrix.columns);
  for (uint32_t row = 0; row < matrix.rows; ++row) {
    matrix.ReadRow(row, values.data() + size_t{row} * matrix.columns);
  }
  return values;
}

std::vector<const FloatMatrix*> MatricesOf(const BertModel& model) {
  std::vector<const FloatMatrix*> all = {&model.token_embeddings, &model.position_embeddings,
                                         &model.type_embeddings};
  for (const BertLayer& layer : model.layers) {
    for (const BertLinear* linear : {&layer.query, &layer.key, &layer.value,
                                     &layer.attention_output, &layer.up, &layer.down}) {
      all.push_back(&linear->weight);
    }
  }
  return all;
}

std::vector<std::vector<float>> VectorsOf(const BertModel& model) {
  std::vector<std::vector<float>> all = {model.embeddings_norm.gamma, model.embeddings_norm.beta};
  for (const BertLayer& layer : model.layers) {
    for (const BertLinear* linear : {&layer.query, &layer.key, &layer.value,
                                     &layer.attention_output, &layer.up, &layer.down}) {
      all.push_back(linear->bias);
    }
    for (const BertNorm* norm : {&layer.attention_norm, &layer.output_norm}) {
      all.push_back(norm->gamma);
      all.push_back(norm->beta);
    }
  }
  return all;
}

void ExpectSame(const BertModel& found, const BertModel& wanted) {
  EXPECT_EQ(found.config.vocabulary, wanted.config.vocabulary);
  EXPECT_EQ(found.config.positions, wanted.config.positions);
  EXPECT_EQ(found.config.token_types, wanted.config.token_types);
  EXPECT_EQ(found.config.hidden, wanted.config.hidden);
  EXPECT_EQ(found.config.intermediate, wanted.config.intermediate);
  EXPECT_EQ(found.config.layers, wanted.config.layers);
  EXPECT_EQ(found.config.heads, wanted.config.heads);
  EXPECT_EQ(found.config.norm_epsilon, wanted.config.norm_epsilon);
  EXPECT_EQ(found.config.pooling, wanted.config.pooling);
  const auto found_matrices = MatricesOf(found), wanted_matrices = MatricesOf(wanted);
  ASSERT_EQ(found_matrices.size(), wanted_matrices.size());
  for (size_t i = 0; i < found_matrices.size(); ++i) {
    EXPECT_EQ(found_matrices[i]->rows, wanted_matrices[i]->rows) << i;
    EXPECT_EQ(found_matrices[i]->columns, wanted_matrices[i]->columns) << i;
    EXPECT_EQ(ValuesOf(*found_matrices[i]), ValuesOf(*wanted_matrices[i])) << "matrix " << i;
  }
  EXPECT_EQ(VectorsOf(found), VectorsOf(wanted));
}

void ExpectError(const Status& status, Reason reason, const std::string& text) {
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << text;
  EXPECT_EQ(status.reason(), reason) << text << ": " << status.message();
  EXPECT_NE(status.message().find(text), std::string::npos) << text << ": " << status.message();
}

}  // namespace ragstone::llm
