#include "llm/llama/prompt.h"

#include <string_view>

namespace ragstone::llm {
namespace {

// Stands for the text of message `i` while the template is written around it.
std::string Placeholder(size_t i) { return "@@ragstone:message:" + std::to_string(i) + "@@"; }

std::vector<PromptPart> ChatMl(const std::vector<ChatMessage>& messages) {
  std::vector<PromptPart> parts;
  for (const ChatMessage& message : messages) {
    parts.push_back({"<|im_start|>" + message.role + "\n", true});
    parts.push_back({message.text, false});
    parts.push_back({"<|im_end|>\n", true});
  }
  parts.push_back({"<|im_start|>assistant\n", true});
  return parts;
}

}  // namespace

std::vector<PromptPart> ApplyChatTemplate(const std::string& chat_template,
                                          const std::vector<ChatMessage>& messages) {
  if (chat_template.empty()) return ChatMl(messages);
  std::vector<std::string> placeholders;
  for (size_t i = 0; i < messages.size(); ++i) placeholders.push_back(Placeholder(i));
  std::vector<llama_chat_message> chat;
  for (size_t i = 0; i < messages.size(); ++i) {
    chat.push_back({messages[i].role.c_str(), placeholders[i].c_str()});
  }
  std::string written(4096 + 256 * messages.size(), '\0');
  const int32_t length =
      llama_chat_apply_template(chat_template.c_str(), chat.data(), chat.size(), true,
                                written.data(), static_cast<int32_t>(written.size()));
  if (length < 0 || static_cast<size_t>(length) > written.size()) return ChatMl(messages);
  written.resize(static_cast<size_t>(length));

  std::vector<PromptPart> parts;
  std::string_view rest(written);
  for (size_t i = 0; i < messages.size(); ++i) {
    const size_t at = rest.find(placeholders[i]);
    // Some templates leave out or reorder a role; then nothing may be lost.
    if (at == std::string_view::npos) return ChatMl(messages);
    parts.push_back({std::string(rest.substr(0, at)), true});
    parts.push_back({messages[i].text, false});
    rest.remove_prefix(at + placeholders[i].size());
  }
  parts.push_back({std::string(rest), true});
  return parts;
}

std::vector<llama_token> TokenizePrompt(const TokenTable& table,
                                        const std::vector<PromptPart>& parts) {
  std::vector<llama_token> tokens;
  for (size_t i = 0; i < parts.size();) {
    // Neighbours of one kind are tokenised together: where a caller cuts its text does not matter.
    std::string text;
    const bool control = parts[i].control;
    for (; i < parts.size() && (parts[i].control == control || parts[i].text.empty()); ++i) {
      text += parts[i].text;
    }
    const std::vector<llama_token> more =
        tokens.empty() ? table.TokenizeStart(text, control) : table.Tokenize(text, control);
    tokens.insert(tokens.end(), more.begin(), more.end());
  }
  const llama_token bos = llama_vocab_bos(table.vocab());
  if (llama_vocab_get_add_bos(table.vocab()) && bos != LLAMA_TOKEN_NULL &&
      (tokens.empty() || tokens.front() != bos)) {
    tokens.insert(tokens.begin(), bos);
  }
  return tokens;
}

}  // namespace ragstone::llm
