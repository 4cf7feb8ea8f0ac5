# llama.cpp for the model workers: libllama once, and ggml's CPU code once for each instruction-set
# tier.
#
# Afterwards RAGSTONE_MODEL_TIERS lists the tiers, and ragstone_use_llama(<executable> <tier>) links
# one. With RAGSTONE_SYSTEM_LLAMA an installed llama.cpp is used, which has one tier, "generic".
option(RAGSTONE_SYSTEM_LLAMA "Use an installed llama.cpp instead of its source" OFF)

if(RAGSTONE_SYSTEM_LLAMA)
  find_package(llama CONFIG REQUIRED GLOBAL)
  set(RAGSTONE_MODEL_TIERS generic CACHE INTERNAL "Tiers of the model worker")
  function(ragstone_use_llama target tier)
    target_link_libraries(${target} PRIVATE llama)
  endfunction()
  return()
endif()

if(NOT EXISTS "${RAGSTONE_LLAMA_DIR}/include/llama.h")
  message(FATAL_ERROR "No source of llama.cpp in RAGSTONE_LLAMA_DIR=${RAGSTONE_LLAMA_DIR}. "
    "Fetch it with ./deploy/prepare, name another folder with -DRAGSTONE_LLAMA_DIR=..., use an "
    "installed one with -DRAGSTONE_SYSTEM_LLAMA=ON, or build without models with "
    "-DRAGSTONE_WITH_LLAMA=OFF.")
endif()

# ggml names imported targets of the folder that finds them, so they are found here first.
find_package(OpenMP REQUIRED)
find_package(Threads REQUIRED)

# What upstream decides for the machine that builds has to be decided for the machines that run it.
foreach(option NATIVE CCACHE AVX AVX2 AVX_VNNI AVX512 AVX512_VBMI AVX512_VNNI AVX512_BF16 BMI2 FMA
    F16C AMX_TILE AMX_INT8 AMX_BF16 CUDA_NCCL BACKEND_DL)
  set(GGML_${option} OFF CACHE BOOL "set by RagstoneLlama.cmake" FORCE)
endforeach()
set(GGML_SSE42 ON CACHE BOOL "set by RagstoneLlama.cmake" FORCE)
set(GGML_CUDA ${RAGSTONE_WITH_CUDA} CACHE BOOL "set by RagstoneLlama.cmake" FORCE)
foreach(part COMMON TESTS TOOLS EXAMPLES SERVER APP UI MTMD)
  set(LLAMA_BUILD_${part} OFF CACHE BOOL "set by RagstoneLlama.cmake" FORCE)
endforeach()
set(BUILD_SHARED_LIBS OFF)

add_subdirectory("${RAGSTONE_LLAMA_DIR}" "${CMAKE_BINARY_DIR}/llama.cpp" EXCLUDE_FROM_ALL SYSTEM)

# Vendored code: no warnings, full speed in every build type, no debug information (it is most of
# the size and a third of the build time).
set(RAGSTONE_VENDOR_FLAGS -w $<$<COMPILE_LANGUAGE:C,CXX>:-O3> $<$<COMPILE_LANGUAGE:C,CXX>:-g0>)
set(ragstone_is_x86 FALSE)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(ragstone_is_x86 TRUE)
  list(APPEND RAGSTONE_VENDOR_FLAGS $<$<COMPILE_LANGUAGE:C,CXX>:-march=x86-64-v2>)
endif()
foreach(vendored llama ggml ggml-base ggml-cpu)
  target_compile_options(${vendored} PRIVATE ${RAGSTONE_VENDOR_FLAGS})
endforeach()

# ragstone_clone_ggml_cpu(<new target> FLAGS ... DEFINITIONS ...)
# Only ggml-cpu differs between tiers; a clone has its sources and settings and further flags.
function(ragstone_clone_ggml_cpu new)
  cmake_parse_arguments(ARG "" "" "FLAGS;DEFINITIONS" ${ARGN})
  get_target_property(sources ggml-cpu SOURCES)
  get_target_property(source_dir ggml-cpu SOURCE_DIR)
  set(absolute)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY "${source_dir}")
    list(APPEND absolute "${source}")
    # GCC 12's _tile_loadconfig says that it reads 8 bytes of the 64-byte tile configuration, so the
    # stores of the rest are removed as dead and the first tile instruction faults.
    if(source MATCHES "amx/mmq\\.cpp$")
      set_property(SOURCE "${source}" PROPERTY COMPILE_OPTIONS -fno-tree-dse -fno-dse)
    endif()
  endforeach()
  add_library(${new} STATIC EXCLUDE_FROM_ALL ${absolute})
  target_include_directories(${new} SYSTEM
    PRIVATE $<TARGET_PROPERTY:ggml-cpu,INCLUDE_DIRECTORIES>)
  target_compile_definitions(${new}
    PRIVATE $<TARGET_PROPERTY:ggml-cpu,COMPILE_DEFINITIONS> ${ARG_DEFINITIONS})
  target_compile_options(${new}
    PRIVATE $<TARGET_PROPERTY:ggml-cpu,COMPILE_OPTIONS> ${ARG_FLAGS})
  target_link_libraries(${new} PRIVATE ggml-base $<TARGET_PROPERTY:ggml-cpu,LINK_LIBRARIES>)
endfunction()

if(ragstone_is_x86)
  set(tiers v2 avx2 avx512)
  set(avx2_flags -mavx -mf16c -mfma -mbmi2 -mavx2)
  set(avx2_definitions GGML_AVX GGML_F16C GGML_FMA GGML_BMI2 GGML_AVX2)
  ragstone_clone_ggml_cpu(ggml-cpu-avx2 FLAGS ${avx2_flags} DEFINITIONS ${avx2_definitions})
  # AMX kernels are compiled in and chosen when the kernel grants the tile registers, so Zen 4,
  # which has none, runs this tier as well. VBMI is left out: ggml has no kernel that needs it.
  ragstone_clone_ggml_cpu(ggml-cpu-avx512
    FLAGS ${avx2_flags} -mavx512f -mavx512cd -mavx512vl -mavx512dq -mavx512bw -mavx512vnni
      -mavx512bf16 -mamx-tile -mamx-int8
    DEFINITIONS ${avx2_definitions} GGML_AVX512 GGML_AVX512_VNNI GGML_AVX512_BF16 GGML_AMX_TILE
      GGML_AMX_INT8)
else()
  set(tiers generic)
endif()

# Which clone an executable gets is its property GGML_CPU_TIER; ggml-cpu itself is the lowest tier.
set(tier_target "$<TARGET_PROPERTY:GGML_CPU_TIER>")
set(ggml_cpu "$<IF:$<BOOL:${tier_target}>,${tier_target},ggml-cpu>")
set_property(TARGET ggml PROPERTY INTERFACE_LINK_LIBRARIES
  "$<$<BOOL:${RAGSTONE_WITH_CUDA}>:ggml-cuda>;${ggml_cpu};ggml-base;${CMAKE_DL_LIBS}")
if(RAGSTONE_WITH_CUDA)
  list(APPEND tiers cuda)
  # The registry of back ends names CUDA once it is on; the CPU tiers get one that does not.
  get_target_property(ggml_source_dir ggml SOURCE_DIR)
  add_library(ragstone_ggml_cpu_only STATIC EXCLUDE_FROM_ALL
    "${ggml_source_dir}/ggml-backend-reg.cpp" "${ggml_source_dir}/ggml-backend-dl.cpp")
  target_include_directories(ragstone_ggml_cpu_only SYSTEM
    PRIVATE "${ggml_source_dir}" PUBLIC "${ggml_source_dir}/../include")
  target_compile_definitions(ragstone_ggml_cpu_only PRIVATE _GNU_SOURCE GGML_USE_CPU)
  target_compile_options(ragstone_ggml_cpu_only PRIVATE ${RAGSTONE_VENDOR_FLAGS})
  target_link_libraries(ragstone_ggml_cpu_only
    INTERFACE "${ggml_cpu};ggml-base;${CMAKE_DL_LIBS}")
  set_property(TARGET llama PROPERTY INTERFACE_LINK_LIBRARIES
    "$<IF:$<BOOL:$<TARGET_PROPERTY:RAGSTONE_GGML_CUDA>>,ggml,ragstone_ggml_cpu_only>")
endif()

# The executables are made in another folder than this is included from.
set(RAGSTONE_MODEL_TIERS ${tiers} CACHE INTERNAL "Tiers of the model worker")

# Links libllama with the CPU code of one tier; "cuda" has AVX2 CPU code beside the GPU's.
function(ragstone_use_llama target tier)
  if(tier STREQUAL "cuda")
    set_target_properties(${target} PROPERTIES
      GGML_CPU_TIER ggml-cpu-avx2 RAGSTONE_GGML_CUDA ON)
  elseif(TARGET ggml-cpu-${tier})
    set_target_properties(${target} PROPERTIES GGML_CPU_TIER ggml-cpu-${tier})
  endif()
  target_link_libraries(${target} PRIVATE llama)
endfunction()
