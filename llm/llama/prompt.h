#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "llm/generator.h"
#include "llm/llama/token_table.h"

namespace ragstone::llm {

// Writes messages in the model's chat template. What the template adds are control parts, the
// messages are not, so a message cannot forge a turn. `chat_template` may be empty or unknown to
// llama.cpp: then ChatML is written, which most small models understand.
std::vector<PromptPart> ApplyChatTemplate(const std::string& chat_template,
                                          const std::vector<ChatMessage>& messages);

// Token ids of a prompt, with the model's begin-of-text token if it wants one and has none yet.
std::vector<llama_token> TokenizePrompt(const TokenTable& table,
                                        const std::vector<PromptPart>& parts);

}  // namespace ragstone::llm
