# bin/ragstone, libexec/ragstone/*, documents.
if(TARGET ragstone)
  install(TARGETS ragstone RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
get_property(RAGSTONE_WORKERS GLOBAL PROPERTY RAGSTONE_WORKERS)
if(RAGSTONE_WORKERS)
  install(TARGETS ${RAGSTONE_WORKERS} RUNTIME DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/ragstone")
endif()
