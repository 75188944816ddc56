export HOME=$D/home; mkdir home
if command -v cmake > /dev/null; then
  mkdir -p c/lib; printf 'cmake_minimum_required(VERSION 3.16)\nproject(p C)\nadd_subdirectory(lib)\nadd_executable(p main.c)\ntarget_link_libraries(p l)\nenable_testing()\nadd_test(NAME t COMMAND p)\nadd_custom_command(OUTPUT gen.h COMMAND ${CMAKE_COMMAND} -E echo "x" > gen.h)\nconfigure_file(in.txt out.txt)\ninstall(TARGETS p DESTINATION bin)\n' > c/CMakeLists.txt
  echo 'v @CMAKE_PROJECT_NAME@' > c/in.txt; echo 'add_library(l STATIC l.c)' > c/lib/CMakeLists.txt; echo 'int f(void){return 42;}' > c/lib/l.c; printf '#include <stdio.h>\nint f(void);\nint main(void){printf("%%d\\n", f());return 0;}\n' > c/main.c
  for generator in 'Unix Makefiles' Ninja; do
    [ "$generator" = Ninja ] && ! command -v ninja > /dev/null && continue
    cmake -S c -B b -G "$generator" > /dev/null && echo configured && cmake --build b -j 2 > /dev/null && b/p && cat b/out.txt && (cd b && ctest 2>&1 | grep 'tests passed'); echo '/* */' >> c/main.c; cmake --build b > log; grep -c main log; cmake --install b --prefix i > /dev/null && ls i/bin; rm -rf b i log
  done
fi
if command -v rustc > /dev/null && rustc --version > /dev/null 2>&1; then printf 'use std::fs;\nfn main() { fs::create_dir_all("r/a/b").unwrap(); fs::write("r/a/f", "rust").unwrap(); println!("{} {:?}", fs::read_to_string("r/a/f").unwrap(), fs::metadata("r").unwrap().is_dir()); for e in fs::read_dir("r/a").unwrap() { let e = e.unwrap(); println!("{:?}", e.file_type().unwrap().is_dir()); } fs::rename("r/a/f", "r/g").unwrap(); fs::copy("r/g", "r/h").unwrap(); println!("{:?} {}", fs::read("nope").unwrap_err().kind(), fs::canonicalize("r/../r/h").unwrap().display()); fs::remove_dir_all("r").unwrap(); }\n' > x.rs; rustc -C debuginfo=0 x.rs -o x 2>&1 | head -3; ./x; rm -f x x.rs; fi
mkdir ts; cd ts; printf 'export const n: number = 41 + 1;\n' > a.ts; printf 'import { n } from "./a.js";\nconsole.log(n);\n' > b.ts; echo '{"type":"module","name":"t","version":"1.0.0","scripts":{"x":"pwd"}}' > package.json
"$NODE" b.ts 2>&1 | grep -c ERR_MODULE_NOT_FOUND; sed -i s/a.js/a.ts/ b.ts; "$NODE" b.ts; cd ..; rm -rf ts home c
echo scenario complete
