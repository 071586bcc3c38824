#!/bin/sh
# Builds SimGrid 4.1 from its PyPI source archive, and our driver with it, in build/ here. Takes 15 to 25 minutes on one core; needs: apt-get install cmake libboost-dev g++ python3
set -eu
work=$(cd "$(dirname "$0")" && pwd)/build
mkdir -p "$work" && cd "$work"
[ -f simgrid-4.1.tar.gz ] || pip download --no-binary simgrid --no-deps simgrid==4.1
[ -d simgrid-4.1 ] || tar xf simgrid-4.1.tar.gz
mkdir -p obj && cd obj
cmake ../simgrid-4.1 -DCMAKE_BUILD_TYPE=Release \
  -Denable_compile_optimizations=ON -Denable_lto=ON -Denable_debug=OFF -Denable_documentation=OFF \
  -Denable_python=OFF -Denable_smpi=OFF -Denable_testsuite_McMini=OFF -Denable_model-checking=OFF \
  -Denable_msg=OFF -Denable_java=OFF
nice -n 19 make -j1 simgrid
cd .. && g++ -O3 -std=c++17 -Isimgrid-4.1/include -Iobj/include ../all_to_all.cpp -o all_to_all -Lobj/lib -lsimgrid -Wl,-rpath,"$work/obj/lib"
