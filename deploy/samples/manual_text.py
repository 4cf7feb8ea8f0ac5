"""The text of the sample manual: a product, a company and people that do not exist."""

PRODUCT = "Tern 40"
COMPANY = "Orrin Vale Watermakers"
SUBJECT = "Reverse osmosis watermaker for small vessels"
RUNNING_TITLE = "Tern 40 – Operation and Maintenance Manual"
REVISION = "Document OV-7031, revision C"
TITLE_LINES = [
    "Orrin Vale Watermakers",
    "Document OV-7031, revision C, March 2024",
    "Valid for units from serial number T40-1180",
    "",
    "Keep this manual on board, beside the unit.",
]

FRONT = [
    ("heading", 2, "About this manual"),
    ("paragraph",
     "This manual is written for the people who run the Tern 40 every day and for those who "
     "service it. Chapters 1 to 4 are for every operator. Chapters 5 to 8 assume that the "
     "reader can work with hand tools and knows the vessel’s electrical system. Work on the "
     "high pressure pump that goes beyond chapter 6 is reserved for a service partner."),
    ("paragraph",
     "Pressures are gauge pressures. Volumes are given in litres and temperatures in degrees "
     "Celsius. Left and right are as seen from the side of the control panel."),
    ("heading", 3, "Revisions of this document"),
    ("table", "Revisions", [1, 2, 6], [
        ["Revision", "Date", "What changed"],
        ["A", "May 2021", "First issue."],
        ["B", "November 2022", "New carbon filter in the flushing line; alarm E09 added."],
        ["C", "March 2024",
         "Oil change interval of the high pressure pump lengthened from 300 to 500 "
         "hours; limits for feed water temperature; field report in chapter 8."],
    ]),
    ("heading", 3, "Words used"),
    ("bullets", [
        "Feed water: the sea water that enters the unit.",
        "Product water: the fresh water that the unit makes. It is also called permeate.",
        "Brine: the concentrated sea water that leaves the unit overboard.",
        "Preservation: filling the unit with a biocide so that nothing grows in it while it "
        "stands still.",
    ]),
]

CHAPTERS = [
    ("heading", 1, "1 Safety"),
    ("paragraph",
     "The Tern 40 was built to the state of the art. Even so it holds sea water at a pressure "
     "that can cut skin, and it draws a current that can start a fire when a cable is loose. "
     "Read this chapter before the first start."),
    ("heading", 2, "1.1 Intended use"),
    ("paragraph",
     "The unit makes fresh water from clean sea water for drinking, cooking and washing on "
     "vessels of up to 24 metres. It is not meant for harbour water that carries oil, for river "
     "water with mud, or for water that was treated with chlorine. Chlorine destroys the "
     "membranes within minutes and is not covered by the warranty."),
    ("heading", 2, "1.2 Dangers"),
    ("warning",
     "The high pressure side works at 55 bar. Never loosen a fitting while the gauge shows more "
     "than 0 bar. A jet of water from a leak can pass through a glove."),
    ("warning",
     "Switch off the 24 V breaker and hang the lock-out tag on it before any cover is removed. "
     "The pump can start by itself when the tank sensor asks for water."),
    ("bullets", [
        "Wear eye protection and gloves when handling the preservation powder; its dust "
        "irritates the lungs.",
        "Do not drink product water that was made within 20 minutes after a membrane was changed.",
        "Keep hair and sleeves away from the belt guard.",
        "Surfaces of the motor reach 75 °C in continuous operation.",
    ]),
    ("heading", 2, "1.3 Who may do what"),
    ("table", "Table 1: Tasks and the people who may do them", [5, 3, 3], [
        ["Task", "Operator", "Trained technician"],
        ["Start, stop, flush", "yes", "yes"],
        ["Change the prefilters", "yes", "yes"],
        ["Preserve the unit and put it back in service", "after instruction", "yes"],
        ["Change membranes", "no", "yes"],
        ["Open the high pressure pump", "no", "yes, with a second person present"],
    ]),
    ("paragraph",
     "Before the high pressure pump is opened, the engineer of the watch must be informed and "
     "must sign the work card. The signed card stays with the unit until the cover is closed "
     "again."),

    ("heading", 1, "2 Description"),
    ("heading", 2, "2.1 How the unit works"),
    ("paragraph",
     "A feed pump lifts sea water through the strainer and two prefilters, one of 20 µm and one "
     "of 5 µm. The high pressure pump, a ceramic plunger pump with three cylinders, presses the "
     "filtered water along two membranes that lie one behind the other. About one tenth of the "
     "water passes through the membranes and leaves its salt behind. The rest leaves the unit "
     "as brine through the pressure regulator and the overboard outlet."),
    ("paragraph",
     "A probe measures the salinity of the product water at all times. As long as it is above "
     "the limit, the diverter valve sends the water overboard; once it has stayed below the "
     "limit for 90 seconds, the valve opens the way to the tank. This means that for the first "
     "two or three minutes of each run no water reaches the tank, which is normal."),
    ("heading", 2, "2.2 Technical data"),
    ("table", "Table 2: Technical data", [5, 4], [
        ["Property", "Value"],
        ["Product water at 25 °C and 35 g/l salinity", "40 litres per hour, ± 10 %"],
        ["Feed water flow", "390 litres per hour"],
        ["Working pressure", "55 bar"],
        ["Highest working pressure", "62 bar"],
        ["Opening pressure of the relief valve", "65 bar"],
        ["Feed water temperature", "2 to 38 °C"],
        ["Supply", "24 V DC, 19 A in operation, 46 A at start"],
        ["Fuse", "30 A, slow"],
        ["Dimensions (length × width × height)", "620 × 410 × 395 mm"],
        ["Weight, dry", "38.5 kg"],
        ["Noise at a distance of 1 m", "58 dB(A)"],
        ["Protection", "IP44; control panel IP65"],
    ]),
    ("heading", 2, "2.3 Output and temperature"),
    ("paragraph",
     "Cold water is thicker and passes the membranes more slowly. The figures of table 3 were "
     "measured on five new units at 55 bar and 35 g/l. A drop of more than 15 % below them "
     "points to fouled membranes."),
    ("table", "Table 3: Product water by feed water temperature", [3, 3, 3, 3], [
        ["Temperature", "Product water", "Salinity of product", "Current drawn"],
        ["5 °C", "22 l/h", "160 ppm", "20.5 A"],
        ["10 °C", "26 l/h", "190 ppm", "20.1 A"],
        ["15 °C", "31 l/h", "230 ppm", "19.6 A"],
        ["20 °C", "36 l/h", "270 ppm", "19.3 A"],
        ["25 °C", "40 l/h", "320 ppm", "19.0 A"],
        ["30 °C", "44 l/h", "390 ppm", "18.8 A"],
    ]),
    ("paragraph",
     "Above 38 °C the membranes age quickly. The controller therefore stops the unit with alarm "
     "E07 when the water at the membrane inlet reaches 40 °C."),

    ("heading", 1, "3 Installation"),
    ("heading", 2, "3.1 Place"),
    ("paragraph",
     "Choose a dry, ventilated place below the waterline, as close to the sea inlet as possible "
     "and not above batteries. Leave 300 mm free on the left side to draw out the membranes and "
     "150 mm above the filter housings. The place must stay between 5 and 45 °C. The unit may "
     "be mounted lying on its feet only; on a bulkhead the plungers run dry."),
    ("heading", 2, "3.2 Water connections"),
    ("table", "Table 4: Connections", [4, 3, 4], [
        ["Connection", "Hose", "Remark"],
        ["Sea inlet", "20 mm, reinforced", "own sea cock, never shared with the toilet"],
        ["Brine overboard", "16 mm", "outlet at least 100 mm above the waterline"],
        ["Product water to tank", "8 mm, food grade", "no valve in this line"],
        ["Flushing inlet", "12 mm, food grade",
         "from the pressurised fresh water system, 2 to 4 bar"],
        ["Drain of the drip tray", "10 mm", "to the bilge, with a fall"],
    ]),
    ("warning",
     "A closed valve in the product water line bursts the membranes. The line to the tank must "
     "always be open; the unit checks this only at start."),
    ("heading", 2, "3.3 Electrical connection"),
    ("paragraph",
     "Connect the unit to its own 30 A breaker. For a cable run of up to 5 m, there and back, "
     "use 10 mm²; for up to 9 m use 16 mm². The voltage at the terminals must not fall below "
     "22.5 V while the pump starts, or the controller stops with alarm E02. The earth terminal "
     "goes to the vessel’s bonding system with 6 mm²."),
    ("heading", 2, "3.4 First start"),
    ("bullets", [
        "Check that the pump’s oil stands in the middle of the sight glass.",
        "Open the sea cock and bleed both filter housings by their red buttons.",
        "Turn the pressure regulator fully to the left, which means no pressure.",
        "Press START. The feed pump runs alone for 30 seconds and fills the unit.",
        "When the high pressure pump has started, turn the regulator slowly to the right until "
        "the gauge shows 55 bar. This should take about two minutes.",
        "Let the product water of the first hour run overboard; it carries the preservative of "
        "the factory.",
        "Write the hours, pressure, flow and salinity into the log at the end of this manual’s "
        "folder.",
    ], True),

    ("heading", 1, "4 Operation"),
    ("heading", 2, "4.1 Daily start"),
    ("bullets", [
        "Look at the strainer and the drip tray.",
        "Open the sea cock.",
        "Press START once. The regulator stays where it was at the last run.",
        "After three minutes check the gauge: 55 bar, ± 2 bar.",
        "Check the flow meter against table 3.",
    ], True),
    ("heading", 2, "4.2 Stopping and flushing"),
    ("paragraph",
     "Press STOP. The high pressure pump stops, and the unit flushes itself with fresh water "
     "for 6 minutes. A flush takes 12 litres from the tank. The water passes a carbon filter "
     "that removes chlorine; this filter must be changed every six months even if the unit was "
     "hardly used, because exhausted carbon lets chlorine through to the membranes."),
    ("paragraph",
     "If the tank holds less than 15 litres, the flush is skipped and the panel shows the drop "
     "symbol. Flush by hand as soon as there is water: hold STOP for 5 seconds."),
    ("heading", 2, "4.3 Automatic operation"),
    ("paragraph",
     "In the AUTO position the unit starts when the tank is below 40 % and stops at 95 %. It "
     "does not start between 22:00 and 07:00 unless quiet hours are switched off in the menu. "
     "It never runs longer than 8 hours without a pause of 30 minutes."),
    ("heading", 2, "4.4 Standing still"),
    ("table", "Table 5: What to do when the unit stands still", [3, 6], [
        ["Time", "Measure"],
        ["up to 3 days", "Nothing beyond the flush after the last run."],
        ["4 to 7 days", "Flush again every third day; AUTO does this by itself."],
        ["more than 7 days", "Preserve the unit as in section 6.5."],
        ["more than 6 months", "Renew the preservation every 6 months."],
        ["frost", "Preserve, then fill with the glycol mixture of section 6.6."],
    ]),

    ("heading", 1, "5 Water quality"),
    ("paragraph",
     "The probe shows the salinity of the product water in parts per million. The factory sets "
     "the limit at 500 ppm. A trained technician can set it between 300 and 750 ppm. Water of "
     "more than 1000 ppm tastes of salt; below 500 ppm most people notice nothing."),
    ("heading", 2, "5.1 Drinking the water"),
    ("paragraph",
     "The membranes hold back salt, bacteria and most viruses, but the tank and its hoses can "
     "carry germs of their own. We advise an ultraviolet lamp of 11 W behind the tank and a "
     "sample to a laboratory once a year. The product water holds few minerals: where it is the "
     "only drinking water for more than four weeks, fit the mineral cartridge OV-2240."),
    ("heading", 2, "5.2 Checking the probe"),
    ("paragraph",
     "Check the probe every three months with the calibration solution of 1000 ppm from the "
     "service kit. The panel must show between 930 and 1070 ppm. If it does not, clean the "
     "probe with vinegar, rinse it, and check again. A probe that still reads wrongly is "
     "replaced; it cannot be adjusted on board."),
    ("table", "Table 6: Results of the type test of the product water", [4, 3, 3], [
        ["Substance", "Measured", "Limit of the test"],
        ["Chloride", "148 mg/l", "250 mg/l"],
        ["Sodium", "96 mg/l", "200 mg/l"],
        ["Boron", "0.9 mg/l", "1.5 mg/l"],
        ["Coliform bacteria in 100 ml", "0", "0"],
    ]),

    ("heading", 1, "6 Maintenance"),
    ("heading", 2, "6.1 Schedule"),
    ("table", "Table 7: Maintenance schedule", [4, 3, 4], [
        ["Part", "Interval", "Work"],
        ["Strainer", "every week", "clean"],
        ["Prefilters 20 µm and 5 µm", "at 0.8 bar, at the latest after 3 months", "replace both"],
        ["Carbon filter", "6 months", "replace"],
        ["High pressure pump, first oil change", "50 hours", "change oil"],
        ["High pressure pump", "500 hours or once a year", "change oil"],
        ["Plunger seals", "2000 hours", "replace the set"],
        ["Belt", "1000 hours", "check tension: 8 mm at 20 N"],
        ["Membranes", "when output is 15 % low, commonly after 5 years", "clean, then replace"],
        ["Relief valve", "2 years", "test at a service partner"],
    ]),
    ("heading", 2, "6.2 Changing the prefilters"),
    ("paragraph",
     "The panel shows the difference of pressure across the prefilters. Replace both cartridges "
     "when it reaches 0.8 bar. Close the sea cock, press the red buttons to release the "
     "pressure, unscrew the housings with the spanner supplied, and wipe them out. The blue "
     "cartridge of 20 µm belongs on the right, where the water enters; the white one of 5 µm on "
     "the left. Grease the O-rings with silicone grease, never with petroleum jelly. Cartridges "
     "cannot be washed and used again."),
    ("heading", 2, "6.3 Changing the oil of the high pressure pump"),
    ("paragraph",
     "Run the unit for ten minutes so that the oil is warm, stop it, and lock the breaker. "
     "Drain the oil by the plug below the sight glass. Fill in 0.35 litres of SAE 15W-40 "
     "mineral oil. Milky oil means that sea water has passed the plunger seals: replace the "
     "seals at once, because the crank bearings rust within days."),
    ("heading", 2, "6.4 Cleaning the membranes"),
    ("paragraph",
     "Clean the membranes when the output at the same temperature has fallen by 15 % or the "
     "salinity has risen by half. Use cleaner A, which is alkaline, against grease and growth, "
     "and cleaner B, which is acid, against lime. If in doubt begin with cleaner A. Mix 500 g "
     "of the powder with 20 litres of product water at 30 to 35 °C, let it circulate for 45 "
     "minutes without pressure, wait for 30 minutes, and flush twice. Never mix the two "
     "cleaners."),
    ("heading", 2, "6.5 Preservation"),
    ("paragraph",
     "Dissolve 200 g of sodium metabisulphite in 20 litres of product water in a clean bucket. "
     "Put the suction hose and the brine hose into the bucket and let the feed pump circulate "
     "the solution for 10 minutes. Close the sea cock and hang the yellow label with the date "
     "on the panel. The preservation protects the unit for 6 months. Before the next start, "
     "flush for 20 minutes and let the product water of the first 30 minutes run overboard."),
    ("heading", 2, "6.6 Frost"),
    ("paragraph",
     "Water that freezes bursts the membrane housings. If the place of the unit may fall below "
     "2 °C, circulate a mixture of 60 % food-grade propylene glycol and 40 % product water for "
     "5 minutes after the preservation. This protects down to –25 °C. Never use ethylene "
     "glycol: it is poisonous and cannot be flushed out completely."),

    ("heading", 1, "7 Faults"),
    ("paragraph",
     "When the controller finds a fault it stops the unit, shows the number and sounds the "
     "buzzer for a minute. Press RESET after the cause is mended. After three stops by the same "
     "alarm within an hour the unit stays locked until the breaker has been off for 60 seconds."),
    ("table", "Table 8: Alarms", [1, 4, 6], [
        ["Alarm", "Meaning", "What to do"],
        ["E01", "Feed pressure too low, below 0.3 bar",
         "Sea cock, strainer, prefilters; bleed the housings."],
        ["E02", "Voltage too low, below 22.5 V",
         "Charge the batteries; check cable and terminals."],
        ["E03", "High pressure above 62 bar",
         "Turn the regulator to the left; check the brine outlet."],
        ["E04", "Motor too hot", "Let it cool for 30 minutes; clean the fan; check the belt."],
        ["E05", "Salinity above the limit for 10 minutes",
         "Check the probe, then the O-rings of the membranes."],
        ["E06", "Tank sensor does not answer",
         "Check the plug X4; the unit can be run in MANUAL meanwhile."],
        ["E07", "Feed water too warm", "Wait for colder water; run with less pressure at night."],
        ["E08", "Product line closed", "Open the line to the tank. Do not restart before."],
        ["E09", "Carbon filter overdue", "Replace it and reset the counter in the menu."],
        ["E10", "Water in the drip tray", "Find the leak before RESET."],
        ["E11", "Controller fault",
         "Switch the breaker off for 60 seconds; if it returns, call service."],
    ]),
    ("heading", 2, "7.1 Faults without an alarm"),
    ("table", "Table 9: Other faults", [4, 5], [
        ["What is seen", "Likely cause"],
        ["Pressure swings by more than 4 bar",
         "Air in the feed line, or a worn valve in the high pressure pump"],
        ["Knocking noise", "Prefilters blocked; the pump lacks water"],
        ["Little water, normal salinity", "Cold water, low pressure, or fouled membranes"],
        ["Little water, high salinity", "A damaged O-ring between the membranes"],
        ["Water smells of rotten eggs",
         "The unit stood still without preservation; clean with cleaner A"],
    ]),

    ("heading", 1, "8 Field report: eleven months on the Calder"),
    ("two_columns",),
    ("heading", 3, "The vessel"),
    ("paragraph",
     "The Calder is a survey ketch of 19 metres with a crew of six. In February 2023 her old "
     "watermaker, which had been driven by the main engine, was replaced by a Tern 40 with "
     "serial number T40-1204. The crew agreed to keep a log for us. This chapter sums it up, "
     "with the failures as well as the rest."),
    ("paragraph",
     "From the first of March 2023 to the end of January 2024 the unit ran for 2,146 hours and "
     "made 81,300 litres of water. The vessel worked off the Hebrides until August and then "
     "went south to Madeira. The feed water was between 7 and 24 °C."),
    ("heading", 3, "What went well"),
    ("paragraph",
     "The membranes are still the first ones. Their output, corrected for temperature, fell by "
     "6 % in the eleven months. Salinity stayed between 180 and 340 ppm. The crew used 38 "
     "prefilter cartridges, most of them in May, when plankton blocked a 5 µm cartridge within "
     "two days."),
    ("paragraph",
     "Quiet hours turned out to matter more than any figure in the data sheet. With them "
     "switched on, nobody in the forward cabin complained; before that, two people had slept in "
     "the saloon."),
    ("next_column",),
    ("heading", 3, "What failed"),
    ("paragraph",
     "On 14 June the impeller of the feed pump lost three vanes after the sea cock had been "
     "left closed. The unit stopped with alarm E01, as it should. Changing the impeller took "
     "the engineer, Ines Kallio, 40 minutes."),
    ("paragraph",
     "In October the oil of the high pressure pump turned milky at 1,655 hours, that is 345 "
     "hours before the seals were due. The seals had been damaged by a grain of sand that came "
     "through a cracked filter housing. Seals, oil and housing were replaced in Funchal; the "
     "vessel was without the unit for four days."),
    ("heading", 3, "What we changed"),
    ("paragraph",
     "The filter housings are now made of glass-filled nylon and are tested at 12 bar. The "
     "panel asks whether the sea cock is open at every manual start. Both changes are in all "
     "units from serial number T40-1350, and older units can be fitted with them."),
    ("heading", 3, "In the crew’s words"),
    ("paragraph",
     "“We stopped counting showers in April,” wrote the skipper, Tomas Brandvik. “What I would "
     "ask for is a strainer basket that can be lifted out with one hand, since the other one is "
     "always holding on.” The new basket has a loop for two fingers."),

    ("heading", 1, "9 Spare parts"),
    ("paragraph",
     "Order parts by their number and give the serial number of the unit, which stands on the "
     "plate beside the control panel. Parts that are in stock leave the works in Aldermouth "
     "within two working days."),
    ("table", "Table 10: Spare parts", [2, 5, 2, 3], [
        ["Number", "Part", "Per unit", "Keep on board"],
        ["OV-2010", "Prefilter cartridge 20 µm, blue", "1", "6"],
        ["OV-2011", "Prefilter cartridge 5 µm, white", "1", "12"],
        ["OV-2030", "Carbon filter", "1", "1"],
        ["OV-2105", "Impeller of the feed pump, with gasket", "1", "2"],
        ["OV-2150", "Plunger seals, set for three cylinders", "1", "1"],
        ["OV-2162", "Belt", "1", "1"],
        ["OV-2201", "Membrane, 40 inch", "2", "–"],
        ["OV-2206", "O-rings for membrane housings, set", "1", "1"],
        ["OV-2240", "Mineral cartridge", "optional", "–"],
        ["OV-2300", "Salinity probe", "1", "1"],
        ["OV-2410", "Preservation powder, 1 kg", "–", "1"],
        ["OV-2420", "Cleaner A, alkaline, 500 g", "–", "1"],
        ["OV-2421", "Cleaner B, acid, 500 g", "–", "1"],
    ]),
    ("heading", 2, "9.1 Warranty"),
    ("paragraph",
     "We grant a warranty of 36 months on the unit from the day of delivery, of 24 months on "
     "the membranes, and none on cartridges, belts and impellers. The warranty ends when the "
     "unit was run with chlorinated water, without prefilters, or with parts of other makers in "
     "the high pressure circuit."),
    ("heading", 2, "9.2 Service"),
    ("paragraph",
     "The service desk in Aldermouth answers from Monday to Friday, 08:00 to 17:00 local time. "
     "Have the hours, the alarm number and the last three entries of the log at hand. Units are "
     "repaired in Aldermouth and by the partners in Funchal, Bergen and Halifax."),
]
