# The PDF worker. Its binary links poppler and is under GPL-3.0; its sources are Apache-2.0.
if(RAGSTONE_WITH_PDF)
  add_executable(ragstone-pdf
    ${CMAKE_CURRENT_LIST_DIR}/pdf_colour.cc
    ${CMAKE_CURRENT_LIST_DIR}/pdf_main.cc
    ${CMAKE_CURRENT_LIST_DIR}/pdf_server.cc
    ${CMAKE_CURRENT_LIST_DIR}/pdf_watchdog.cc
    ${CMAKE_CURRENT_LIST_DIR}/sandbox.cc)
  ragstone_configure(ragstone-pdf)
  target_link_libraries(ragstone-pdf PRIVATE
    ragstone::base ragstone::ingest_poppler ragstone::worker_proto PkgConfig::SECCOMP)
  set_target_properties(ragstone-pdf PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/libexec/ragstone")
  set_property(GLOBAL APPEND PROPERTY RAGSTONE_WORKERS ragstone-pdf)
endif()
