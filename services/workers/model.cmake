# The model worker, once for each instruction-set tier. Only ggml's CPU code differs between them.
if(RAGSTONE_WITH_LLAMA)
  add_library(ragstone_model_worker STATIC
    ${CMAKE_CURRENT_LIST_DIR}/model_embed_service.cc
    ${CMAKE_CURRENT_LIST_DIR}/model_fault.cc
    ${CMAKE_CURRENT_LIST_DIR}/model_generate_service.cc
    ${CMAKE_CURRENT_LIST_DIR}/model_import_service.cc
    ${CMAKE_CURRENT_LIST_DIR}/model_options.cc)
  ragstone_configure(ragstone_model_worker)
  target_link_libraries(ragstone_model_worker PUBLIC ragstone::llm_encoder ragstone::llm_llama
    ragstone::worker_proto)
  target_precompile_headers(ragstone_model_worker PRIVATE
    "${CMAKE_SOURCE_DIR}/base/mutex.h" <grpcpp/grpcpp.h> <google/protobuf/message.h>)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/model_options.cc
    ${CMAKE_CURRENT_LIST_DIR}/model_fault.cc PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  foreach(tier IN LISTS RAGSTONE_MODEL_TIERS)
    set(worker ragstone-model-${tier})
    add_executable(${worker} ${CMAKE_CURRENT_LIST_DIR}/model_main.cc)
    ragstone_configure(${worker})
    target_compile_definitions(${worker} PRIVATE RAGSTONE_MODEL_TIER="${tier}")
    target_link_libraries(${worker} PRIVATE ragstone_model_worker)
    if(tier STREQUAL "cuda")
      target_compile_definitions(${worker} PRIVATE RAGSTONE_WITH_CUDA)
      target_link_libraries(${worker} PRIVATE ragstone::llm_cuda)
    endif()
    ragstone_use_llama(${worker} ${tier})
    set_target_properties(${worker} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/libexec/ragstone")
    set_property(GLOBAL APPEND PROPERTY RAGSTONE_WORKERS ${worker})
  endforeach()
endif()
