# Programs of the tree, executed again and again, by several, while they are replaced.
cat > prog.c <<'END'
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
int main(int argc, char **argv) {
  char name[20];
  prctl(PR_GET_NAME, name);
  printf("%d %s %s %s\n", VERSION, argv[0], name, (char *)getauxval(AT_EXECFN));
  return VERSION;
}
END
gcc -DVERSION=1 -o one prog.c; gcc -DVERSION=2 -o two prog.c
cp one run; ./run; ./run; echo $?; cp two run; ./run; cp one run; ./run; cat two > run; ./run
ln run again; ./again; ./run; mv again moved; ./moved; mkdir d; mv moved d; d/moved; cd d; ./moved; ../run; cd ..
printf x | dd of=run bs=1 conv=notrunc status=none; ./run 2>&1 | sed 's/.*: //'
cp one run; chmod 644 run; ./run 2> /dev/null; echo $?; chmod 755 run; ./run; chmod 111 run; ./run; rm -f run
# Open for writing, by somebody else and by ourselves.
cp one run; exec 7>> run; ./run 2>&1 | sed 's/.*: //'; exec 7>&-; ./run; exec 7< run; ./run; exec 7<&-
python3 - <<'END'
import mmap, os, subprocess
def run():
    try: print(subprocess.run(["./run"], capture_output=True).stdout)
    except OSError as e: print(e.strerror)
fd = os.open("run", os.O_RDWR); run()
m = mmap.mmap(fd, 4096); os.close(fd); run()
m.close(); run()
fd = os.open("run", os.O_WRONLY); os.close(fd); run()
for name in ["", "absent", "d", "run/x", "x" * 300, "/".join(["d"] * 3000), "."]:
    try: os.execv(name, ["x"])
    except OSError as e: print(name[:10], e.strerror)
os.symlink("loop", "loop"); open("text", "w").write("hello"); os.chmod("text", 0o755)
open("nowhere", "w").write("#!/absent/interpreter\n"); os.chmod("nowhere", 0o755)
open("empty", "w").close(); os.chmod("empty", 0o755)
for name in ["./loop", "./text", "./nowhere", "./empty"]:
    try: os.execv(name, ["x"])
    except OSError as e: print(name, e.strerror)
try: os.execv("./run", ["x" * 200000])
except OSError as e: print(e.strerror)
END
# Everybody may execute, nobody may read.
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --regid 65534 --clear-groups true 2> /dev/null; then
  chmod 711 .; cp one secret; chmod 711 secret; setpriv --reuid 65534 --regid 65534 --clear-groups ./secret
  setpriv --reuid 65534 --regid 65534 --clear-groups cat secret; chmod 700 secret
  setpriv --reuid 65534 --regid 65534 --clear-groups sh -c './secret; echo $?; id -u'
fi
# Many at once, while the file is replaced: each runs one of the two whole.
for i in 1 2 3 4; do
  (for j in 1 2 3 4 5 6 7 8 9 10; do ./run > /dev/null; s=$?; [ $s = 1 ] || [ $s = 2 ] || echo "odd $s"; done) &
done
for i in 1 2 3 4 5 6 7 8; do cp two new; mv new run; cp one new; mv new run; done; wait; ./run
# A large program, again and again.
cp one large; truncate -s 200M large
for i in $(seq 20); do ./large > /dev/null || [ $? = 1 ] || echo failed; done
rm -f large one two run secret text nowhere empty loop d -r
echo scenario complete
