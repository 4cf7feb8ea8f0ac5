#include <algorithm>
#include <array>
#include <string>

#include "services/setting_values.h"
#include "services/settings.h"

namespace ragstone::services {

namespace {

std::string_view TypeName(SettingType type) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "text", "path", "list of paths", "true or false", "whole number", "bytes", "number"};
  return kNames[static_cast<size_t>(type)];
}

std::string RangeText(const SettingInfo& info) {
  if (info.max == 0) return "";
  if (info.type == SettingType::kBytes) {
    return FormatBytes(static_cast<uint64_t>(info.min)) + " to " +
           FormatBytes(static_cast<uint64_t>(info.max));
  }
  return std::to_string(static_cast<int64_t>(info.min)) + " to " +
         std::to_string(static_cast<int64_t>(info.max));
}

std::string DefaultForPeople(const SettingInfo& info) {
  if (info.default_text.empty()) return "empty";
  if (info.default_text == "$HALF_OF_MEMORY") return "half of the memory";
  if (info.default_text == "$EXECUTABLE/../libexec/ragstone") {
    return "`../libexec/ragstone` of the executable";
  }
  return "`" + std::string(info.default_text) + "`";
}

}  // namespace

std::string SettingsMarkdown() {
  std::string page =
      "# Configuration\n\n"
      "<!-- Derived from the table in services/settings.cc; a test compares the two. -->\n\n"
      "Every setting can be given in four ways; the first one found counts:\n\n"
      "1. a flag: `--data-dir /srv/ragstone` or `--data-dir=/srv/ragstone`,\n"
      "2. an environment variable: `RAGSTONE_DATA_DIR=/srv/ragstone`,\n"
      "3. the settings file (TOML): `data_dir = \"/srv/ragstone\"`,\n"
      "4. the default.\n\n"
      "The settings file is the one named by `--config` or `RAGSTONE_CONFIG`, else\n"
      "`$XDG_CONFIG_HOME/ragstone/ragstone.toml` if it exists. Bytes take the suffixes KiB, MiB, "
      "GiB "
      "and TiB.\n"
      "Relative paths in the file are relative to the file; `~/` is the home folder. Where\n"
      "`XDG_DATA_HOME` or `XDG_CONFIG_HOME` is not set, `~/.local/share` or `~/.config` is used. A "
      "name\nthat is not listed here is an error. Changes need a restart unless the setting says "
      "otherwise.\n";
  for (const SettingInfo& info : AllSettings()) {
    page += "\n## " + std::string(info.name) + "\n\n" + std::string(info.text) + "\n\n";
    page += "- Flag `" + FlagName(info.name) + "`, variable `" + VariableName(info.name) + "`\n";
    page += "- Type: " + std::string(TypeName(info.type));
    const std::string range = RangeText(info);
    if (!range.empty()) page += ", " + range;
    if (!info.choices.empty()) {
      std::string choices(info.choices);
      for (size_t at = 0; (at = choices.find('|', at)) != std::string::npos; at += 4) {
        choices.replace(at, 1, "`, `");
      }
      page += ", one of `" + choices + "`";
    }
    page += "\n- Default: " + DefaultForPeople(info) + "\n";
    if (!info.restart) page += "- Takes effect without a restart\n";
  }
  return page;
}

}  // namespace ragstone::services
