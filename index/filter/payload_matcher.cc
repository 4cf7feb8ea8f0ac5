#include "index/filter/payload_matcher.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "index/internal/keywords/words.h"

namespace ragstone::index {

// A node of the filter, ready to be asked often: lists are sorted, the words of `match` are split.
struct PayloadMatcher::Node {
  Filter filter;  // without children
  std::vector<std::unique_ptr<Node>> children;
  std::set<std::string, std::less<>> terms;  // of kMatch
  keywords::Language language;

  bool Matches(const Payload& payload, const PointId* id) const;
  bool MatchesField(const Payload& payload) const;
  bool MatchesScalar(const Scalar& value) const;
  bool MatchesText(const std::string& text) const;
};

namespace {

// The order of values of one type; values of two types are not ordered.
bool InRange(const Filter& filter, const Scalar& value) {
  if (filter.lower.has_value()) {
    const Bound& bound = *filter.lower;
    if (bound.value.index() != value.index()) return false;
    if (value < bound.value || (!bound.inclusive && value == bound.value)) return false;
  }
  if (filter.upper.has_value()) {
    const Bound& bound = *filter.upper;
    if (bound.value.index() != value.index()) return false;
    if (bound.value < value || (!bound.inclusive && value == bound.value)) return false;
  }
  return true;
}

}  // namespace

bool PayloadMatcher::Node::MatchesText(const std::string& text) const {
  switch (filter.kind) {
    case FilterKind::kPrefix:
      return text.compare(0, filter.text.size(), filter.text) == 0;
    case FilterKind::kContains:
      return text.find(filter.text) != std::string::npos;
    default:
      break;
  }
  const Result<keywords::TextTerms> split = keywords::SplitTerms(text, language);
  // A text that cannot be split holds no words.
  if (!split.ok()) return false;
  std::set<std::string_view> found;
  const auto look_at = [&](const keywords::TextWord& word) {
    if (terms.contains(word.term)) found.insert(word.term);
  };
  // What keyword search finds as a word, it finds here: "log" in "x.log" as well.
  for (const keywords::TextWord& word : split->words) look_at(word);
  for (const keywords::TextPart& part : split->parts) look_at(part.part);
  return found.size() == terms.size();
}

bool PayloadMatcher::Node::MatchesScalar(const Scalar& value) const {
  switch (filter.kind) {
    case FilterKind::kExists:
      return true;
    case FilterKind::kIn:
      return std::binary_search(filter.values.begin(), filter.values.end(), value);
    case FilterKind::kRange:
      return InRange(filter, value);
    default:
      break;
  }
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr && MatchesText(*text);
}

bool PayloadMatcher::Node::MatchesField(const Payload& payload) const {
  const auto entry = payload.find(filter.field);
  if (entry == payload.end()) return false;
  if (const auto* list = std::get_if<ScalarList>(&entry->second)) {
    return std::any_of(list->begin(), list->end(),
                       [this](const Scalar& value) { return MatchesScalar(value); });
  }
  return std::visit(
      [this](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::monostate> || std::is_same_v<T, ScalarList>) {
          return false;
        } else {
          return MatchesScalar(Scalar(held));
        }
      },
      entry->second);
}

bool PayloadMatcher::Node::Matches(const Payload& payload, const PointId* id) const {
  const auto child_matches = [&](const std::unique_ptr<Node>& child) {
    return child->Matches(payload, id);
  };
  switch (filter.kind) {
    case FilterKind::kAnd:
      return std::all_of(children.begin(), children.end(), child_matches);
    case FilterKind::kOr:
      return std::any_of(children.begin(), children.end(), child_matches);
    case FilterKind::kNot:
      return !children.empty() && !child_matches(children[0]);
    case FilterKind::kHasId:
      return id != nullptr && std::binary_search(filter.ids.begin(), filter.ids.end(), *id);
    default:
      return MatchesField(payload);
  }
}

PayloadMatcher::PayloadMatcher(std::unique_ptr<Node> root) : root_(std::move(root)) {}
PayloadMatcher::PayloadMatcher(PayloadMatcher&&) noexcept = default;
PayloadMatcher& PayloadMatcher::operator=(PayloadMatcher&&) noexcept = default;
PayloadMatcher::~PayloadMatcher() = default;

bool PayloadMatcher::Matches(const Payload& payload, const PointId* id) const {
  return root_->Matches(payload, id);
}

namespace {

// Filter without its children.
Filter Head(const Filter& filter) {
  Filter head;
  head.kind = filter.kind;
  head.field = filter.field;
  head.values = filter.values;
  head.lower = filter.lower;
  head.upper = filter.upper;
  head.text = filter.text;
  head.ids = filter.ids;
  std::sort(head.values.begin(), head.values.end());
  std::sort(head.ids.begin(), head.ids.end());
  return head;
}

}  // namespace

Result<PayloadMatcher> PayloadMatcher::Create(const Filter& filter, std::string_view language) {
  auto root = std::make_unique<Node>();
  root->filter = Head(filter);
  ASSIGN_OR_RETURN(root->language, keywords::Language::Parse(language));
  if (filter.kind == FilterKind::kMatch) {
    ASSIGN_OR_RETURN(const keywords::TextTerms split,
                     keywords::SplitTerms(filter.text, root->language));
    for (const keywords::TextWord& word : split.words) root->terms.insert(word.term);
    if (root->terms.empty()) {
      return InvalidArgument(Reason::kInvalidArgument,
                             "match of field " + ScalarText(filter.field) +
                                 " is given no word; expected a text with at least one");
    }
  }
  for (const Filter& child : filter.children) {
    ASSIGN_OR_RETURN(PayloadMatcher inner, Create(child, language));
    root->children.push_back(std::move(inner.root_));
  }
  return PayloadMatcher(std::move(root));
}

}  // namespace ragstone::index
