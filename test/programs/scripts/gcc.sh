mkdir -p include/lib src obj
cat > include/lib/add.h <<'END'
#pragma once
int add(int a, int b);
const char *where(void);
END
cat > src/add.c <<'END'
#include <lib/add.h>
int add(int a, int b) { return a + b; }
const char *where(void) { return __FILE__; }
END
cat > src/main.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include "lib/add.h"
int main(int argc, char **argv) {
  char cwd[4096], exe[4096] = "";
  if (!getcwd(cwd, sizeof cwd)) return 1;
  printf("%s in %s: %d from %s\n", argv[0], cwd, add(40, argc), where());
  FILE *f = fopen("written", "w+");
  fprintf(f, "line %d\n", argc);
  rewind(f);
  char line[100];
  if (fgets(line, sizeof line, f)) printf("read back: %s", line);
  fclose(f);
  return argc;
}
END
gcc -Iinclude -Wall -c src/add.c -o obj/add.o; gcc -I"$D/include" -c src/main.c -o obj/main.o; gcc obj/main.o obj/add.o -o prog; ./prog; echo $?; "$D/prog" a b; echo $?; cd src; ../prog x; cd ..
file prog 2> /dev/null | grep -c ELF; nm prog | grep ' T add'; size prog | wc -l; objdump -d obj/add.o | grep -c '<add>:'; strip prog; ./prog; readelf -h prog | grep Type; strings prog | grep -c 'read back'
ar rcs libadd.a obj/add.o; ar t libadd.a; ranlib libadd.a; gcc -Iinclude src/main.c -L. -ladd -o static-add; ./static-add
gcc -shared -fPIC -Iinclude src/add.c -o libadd.so; rm libadd.a; gcc -Iinclude src/main.c -o dyn -L. -ladd; ./dyn; echo $?
gcc -E -Iinclude src/add.c | tail -2; gcc -MM -Iinclude src/main.c; gcc -S -o - src/add.c -Iinclude | grep -c add; gcc -save-temps -Iinclude -c src/add.c -o t.o; ls t*.i t*.s; rm t*.i t*.s; gcc -pipe -Iinclude src/*.c -o piped; ./piped; TMPDIR=$D/obj gcc -Iinclude src/*.c -o tmpdir; ./tmpdir; ls obj
gcc -c src/absent.c; echo $?; echo 'int main( {' > bad.c; gcc bad.c -o bad; echo $?; ls bad; gcc -Iinclude src/main.c -o unresolved 2>&1 | grep -c undefined; ls unresolved; echo '#include "nothing.h"' > inc.c; gcc -c inc.c; echo $?
cat > Makefile <<'END'
CFLAGS = -Iinclude -O1 -MMD
made: obj/m-main.o obj/m-add.o
	$(CC) -o $@ $^
obj/m-%.o: src/%.c | obj
	$(CC) $(CFLAGS) -c -o $@ $<
clean: ; rm -f made obj/m-*
-include obj/*.d
.PHONY: clean
END
if command -v make > /dev/null; then make 2>&1; ./made; make; touch -d '+5 seconds' include/lib/add.h; make 2>&1 | grep -v 'Clock\|future'; make -n clean; make -j2 -B 2>&1 | sort | grep -v -i 'clock\|future'; make clean; ls obj; make -C "$D" made > /dev/null 2>&1; ./made; make absent; echo $?; fi
cat > plus.cc <<'END'
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <vector>
namespace fs = std::filesystem;
int main() {
  fs::create_directories("cc/a/b");
  { std::ofstream("cc/a/f") << "stream " << 42; }
  std::ifstream in("cc/a/f"); std::string w; int n; in >> w >> n; std::cout << w << n << "\n";
  std::vector<std::string> names;
  for (auto &e : fs::recursive_directory_iterator("cc")) names.push_back(e.path().string());
  std::sort(names.begin(), names.end());
  for (auto &s : names) std::cout << s << "\n";
  fs::copy("cc", "cc2", fs::copy_options::recursive); fs::rename("cc", "cc3"); fs::resize_file("cc3/a/f", 3);
  std::cout << fs::file_size("cc3/a/f") << fs::exists("cc") << fs::is_directory("cc2/a/b") << fs::remove_all("cc3") << "\n";
  std::cout << fs::canonical("cc2/../cc2/a") << fs::current_path() << fs::hard_link_count("cc2/a/f") << "\n";
  std::error_code e; fs::create_directory("no/way", e); std::cout << e.message() << "\n";
}
END
command -v g++ > /dev/null && { g++ -std=c++17 plus.cc -o plus && ./plus; }
cat > map.c <<'END'
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int fd = open("mapped", O_RDWR | O_CREAT, 0644);
  if (ftruncate(fd, 20000)) return 1;
  char *m = mmap(0, 20000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (m == MAP_FAILED) { perror("mmap"); return 1; }
  strcpy(m + 8190, "across a page");
  char back[14] = ""; pread(fd, back, 13, 8190); puts(back);
  pwrite(fd, "written", 7, 100); printf("%.7s\n", m + 100);
  if (fork() == 0) { strcpy(m + 16000, "child"); _exit(0); }
  wait(0); puts(m + 16000);
  char *p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 8192);
  p[0] = 'X'; pread(fd, back, 1, 8192); printf("private keeps %c\n", back[0]);
  close(fd); strcpy(m, "after close"); msync(m, 4096, MS_SYNC); munmap(m, 20000);
  fd = open("mapped", O_RDONLY); read(fd, back, 11); puts(back);
}
END
gcc map.c -o map 2> /dev/null && ./map; rm -rf plus map prog dyn static-add piped tmpdir made obj libadd.so
echo scenario complete
