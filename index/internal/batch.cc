#include "index/internal/batch_impl.h"

namespace ragstone::index {

std::string TableKey(Table table, std::string_view key) {
  std::string full(1, static_cast<char>(table));
  full += key;
  return full;
}

Batch::Batch() = default;
Batch::~Batch() = default;
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;

void Batch::Put(Table table, std::string_view key, std::string_view value) {
  // The format byte of a table's value goes first.
  BatchAccess::Put(Family::kTable, TableKey(table, key), '\1' + std::string(value), this);
}

void Batch::Delete(Table table, std::string_view key) {
  BatchAccess::Delete(Family::kTable, TableKey(table, key), this);
}

bool Batch::empty() const { return impl_ == nullptr || impl_->operations.empty(); }

const std::vector<Batch::Impl::Operation>& BatchAccess::Operations(const Batch& batch) {
  static const std::vector<Batch::Impl::Operation>* const kNone =
      new std::vector<Batch::Impl::Operation>();
  return batch.impl_ == nullptr ? *kNone : batch.impl_->operations;
}

void BatchAccess::Put(Family family, std::string_view key, std::string_view value, Batch* batch) {
  if (batch->impl_ == nullptr) batch->impl_ = std::make_unique<Batch::Impl>();
  batch->impl_->operations.push_back({family, false, std::string(key), std::string(value)});
}

void BatchAccess::Delete(Family family, std::string_view key, Batch* batch) {
  if (batch->impl_ == nullptr) batch->impl_ = std::make_unique<Batch::Impl>();
  batch->impl_->operations.push_back({family, true, std::string(key), std::string()});
}

}  // namespace ragstone::index
