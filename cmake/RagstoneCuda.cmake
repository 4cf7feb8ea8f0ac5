# CUDA for the model worker of the tier "cuda": finds nvcc and says which GPUs to build for.
#
# CMAKE_CUDA_ARCHITECTURES names them, such as 75 or "75;86". Without it, it is the machine's own
# GPU or, where there is none, all that CUDA 13 knows: correct, but hours of compiling llama.cpp.
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(RAGSTONE_NVCC nvcc HINTS "$ENV{CUDA_PATH}/bin" /usr/local/cuda/bin)
  if(NOT RAGSTONE_NVCC)
    message(FATAL_ERROR "RAGSTONE_WITH_CUDA needs NVIDIA's CUDA toolkit, and there is no nvcc in "
      "the path. Install the toolkit, name it with -DCMAKE_CUDA_COMPILER=.../nvcc, or build "
      "without -DRAGSTONE_WITH_CUDA=ON.")
  endif()
  set(CMAKE_CUDA_COMPILER "${RAGSTONE_NVCC}" CACHE FILEPATH "CUDA compiler")
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES)
  find_program(RAGSTONE_NVIDIA_SMI nvidia-smi)
  set(has_gpu 1)
  if(RAGSTONE_NVIDIA_SMI)
    execute_process(COMMAND "${RAGSTONE_NVIDIA_SMI}" -L RESULT_VARIABLE has_gpu
      OUTPUT_QUIET ERROR_QUIET)
  endif()
  if(has_gpu EQUAL 0)
    set(architectures native)
  else()
    set(architectures 75-real 80-real 86-real 89-real 90-real 100-real 120)
    message(STATUS "No GPU here: building for all from Turing on. "
      "-DCMAKE_CUDA_ARCHITECTURES=86 (or the like) is quicker.")
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${architectures} CACHE STRING "GPUs to build for")
endif()
# CMake 3.25 does not know that nvcc has C++20; the kernels need no more than this.
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
# As llama.cpp links it; both would be two runtimes in a process.
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
