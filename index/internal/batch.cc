#include "index/internal/batch_impl.h"

namespace ragstone::index {

Batch::Batch() = default;
Batch::~Batch() = default;
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;

void Batch::Put(Table table, std::string_view key, std::string_view value) {
  if (impl_ == nullptr) impl_ = std::make_unique<Impl>();
  impl_->operations.push_back({table, false, std::string(key), std::string(value)});
}

void Batch::Delete(Table table, std::string_view key) {
  if (impl_ == nullptr) impl_ = std::make_unique<Impl>();
  impl_->operations.push_back({table, true, std::string(key), std::string()});
}

bool Batch::empty() const { return impl_ == nullptr || impl_->operations.empty(); }

const std::vector<Batch::Impl::Operation>& BatchAccess::Operations(const Batch& batch) {
  static const std::vector<Batch::Impl::Operation>* const kNone =
      new std::vector<Batch::Impl::Operation>();
  return batch.impl_ == nullptr ? *kNone : batch.impl_->operations;
}

}  // namespace ragstone::index
