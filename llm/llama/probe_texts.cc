#include "llm/llama/probe_texts.h"

namespace ragstone::llm {

const std::vector<std::string_view>& EmbeddingProbes() {
  static const auto* const probes = new std::vector<std::string_view>{
      "How do I reset the router to factory settings?",
      "Where is the main water valve?",
      "invoice 2024-0871",
      "What does error E17 mean?",
      "The warranty covers manufacturing faults for twenty-four months from the date of purchase.",
      "Tighten the four bolts crosswise to 12 newton metres, then check that the cover sits flat.",
      "Bread rises because yeast turns sugar into carbon dioxide, which the dough cannot let out.",
      "A glacier moves under its own weight, a few centimetres a day in winter and more in summer.",
      "Quarterly revenue rose by 4.2 percent to 318 million, while operating costs fell slightly.",
      "The committee met on Tuesday and postponed its decision about the new bridge until spring.",
      "block replication stalled: datanode 10.0.3.7 did not acknowledge packet 5521 within 60000 "
      "ms",
      "WARN disk /dev/sdb1 is 91 percent full, writes will be refused above 95 percent",
      "To install the package, add the repository, update the package list and run the installer.",
      "def moving_average(values, n): return [sum(values[i:i+n]) / n for i in "
      "range(len(values)-n+1)]",
      "SELECT name, count(*) FROM visits WHERE day >= '2024-05-01' GROUP BY name ORDER BY 2 DESC;",
      "Photosynthesis binds carbon dioxide with the energy of light and releases oxygen.",
      "The patient reported mild headaches in the morning and no fever; blood pressure was normal.",
      "Either party may end this agreement with three months' notice to the end of a quarter.",
      "Preheat the oven to 180 degrees, whisk the eggs with the sugar and fold in the sifted "
      "flour.",
      "Her second novel follows a lighthouse keeper who finds letters addressed to no one.",
      "The train leaves at 7:42 from platform three and calls at every station as far as the "
      "coast.",
      "Neutron stars pack more mass than the sun into a sphere no wider than a city.",
      "Le musée est fermé le lundi; les billets achetés en ligne restent valables toute l'année.",
      "Der Filter ist alle sechs Monate zu wechseln, bei starker Nutzung entsprechend früher.",
      "El puerto exportó el año pasado unas cuarenta mil toneladas de fruta fresca.",
      "Password rules: at least fourteen characters; no rotation unless there is a sign of misuse.",
      "If the pump runs dry it overheats within minutes, so a float switch cuts the power as soon "
      "as "
      "the level in the shaft falls below the intake; the switch has to be tested once a year.",
      "In the middle ages the town lived on salt. Barges brought it down the river, merchants "
      "stored "
      "it in tall brick houses near the harbour, and a tax on every barrel paid for the walls. "
      "When "
      "cheaper salt came by sea the trade ended within two generations.",
      "Sampling every tenth request kept the overhead of tracing below one percent, but it hid the "
      "slow calls we were looking for. We now keep every trace that took longer than a second and "
      "a "
      "fixed number of the others, which costs about the same and shows what matters.",
      "The survey asked 1,204 households about heating. Forty-one percent use gas, twenty-three "
      "percent district heating, nineteen percent heat pumps; the rest burn oil or wood. Among "
      "houses built after 2015, heat pumps are in the majority, and satisfaction is highest there.",
      "Before you open the case, unplug the device and wait for at least ten minutes. The "
      "capacitors "
      "of the power supply hold a dangerous charge after switching off. Touch a grounded metal "
      "part "
      "to lead off static electricity, remove the two screws at the back and slide the cover off. "
      "Memory modules are keyed and fit in one direction only; press them down until both latches "
      "close by themselves.",
      "Soil holds more carbon than all plants and the air above them together. Ploughing lets "
      "oxygen "
      "reach it, and microbes turn it back into carbon dioxide. Fields that are left unploughed "
      "and "
      "sown with cover crops build up humus again, slowly at first, and keep more water in dry "
      "summers. Whether the gain lasts depends on what happens in the years after: a single deep "
      "ploughing can undo the work of a decade.",
      "ok",
      "42",
  };
  return *probes;
}

std::string_view GenerationProbe() {
  return "A small town at the foot of the hills decided to build a library. For years its books "
         "had "
         "been kept in the cellar of the school, where damp crept up the walls and the light was "
         "poor. The council had little money, so it asked every household to give one day of work. "
         "Carpenters made the shelves, the baker lent his van, and the children carried the books "
         "across the square in a long line, passing each volume from hand to hand. It took two "
         "weeks in spring. When the doors opened in May, more than four hundred people came to see "
         "the reading room with its tall windows.\n\n"
         "The librarian, Mrs. Halvorsen, had made a plan for the first year. On Mondays the "
         "library "
         "would stay closed so that returned books could be sorted. On Wednesdays there would be "
         "an "
         "hour of reading aloud for children under eight. Once a month a guest would speak about a "
         "subject that the visitors had chosen by vote: the history of the mill, how to keep bees, "
         "the stars in winter. She wrote down every question that was asked at the desk, because "
         "she wanted to know what people were looking for and whether they had found it. After six "
         "months there were 1,318 questions in her notebook. About a third of them concerned "
         "repairs in the house and garden, a quarter school work, and most of the rest could not "
         "be put into any group at all.\n\n"
         "Two results surprised her. First, the oldest books were borrowed as often as the newest "
         "ones, as long as they stood at eye level; the same title on the lowest shelf was hardly "
         "ever taken. She therefore moved the books every two weeks, so that each shelf had its "
         "turn. Second, people who came for one thing usually left with another. A man who needed "
         "instructions for a water pump took home a book of poems, and a girl who had to write "
         "about volcanoes discovered a shelf of maps. The council, which had feared that the "
         "building would stand empty, agreed to pay for heating through the winter. In return it "
         "asked for a short report at the end of each year: how many visitors, how many loans, "
         "what was missing, and what it would cost. The first report had three pages. Its last "
         "sentence was often quoted afterwards: a library is not a place where books are kept, but "
         "a place where they are met.";
}

}  // namespace ragstone::llm
