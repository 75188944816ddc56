touch a.c b.c c.h .hidden a1 a2 a10; mkdir -p d1/d2/d3; touch d1/x d1/d2/y d1/d2/d3/z
echo *; echo *.c; echo [ab].c; echo ?1; echo .*; echo */; echo */*; echo "$D"/*.h; echo nothing*
shopt -s nullglob dotglob extglob globstar
echo nothing*; echo *; echo !(*.c); echo **; echo **/y
shopt -u nullglob dotglob
shopt -s failglob
(echo none-*)
echo "failglob: $?"
shopt -u failglob
cat <<END > here
value: $((6 * 7)) $(echo nested) ${#D}
END
cat here; cat <<-'RAW' >> here
	no $expansion
	RAW
cat here; cat <<< "a here-string of $(wc -l < here) lines"
{ for i in $(seq 1 20000); do echo "line $i of a long document"; done; } > long
eval "cat <<X > long2
$(< long)
X"; cmp long long2 && echo same-long
cat < <(echo from process substitution; cat a.c here)
diff <(sort here) <(sort -r here | sort) && echo sorted-same
tee >(wc -l > count) < here > /dev/null; while [ ! -s count ]; do sleep 0.01; done; cat count
paste -d: <(printf '1\n2\n') <(printf 'x\ny\n')
echo "$(< here)"; x=$(<a.c); echo "[$x]"
mapfile -t lines < here; echo "${#lines[@]} ${lines[0]}"
(cd d1/d2; pwd; echo inside > here2; (cd ..; pwd; ls)); pwd
cat here | sort | tr a-z A-Z | head -1; echo "${PIPESTATUS[@]}"
false | true; echo $?; set -o pipefail; false | true; echo $?; set +o pipefail
coproc CAT { cat; }; echo to-coproc >&${CAT[1]}; read -u ${CAT[0]} back; echo "$back"; kill $CAT_PID
for f in *; do [ -f "$f" ] && echo "file $f"; done
cat /dev/null > n; sort -u here here > s & wait; cat s
trap 'echo exit-trap > trapped; cat trapped' EXIT
select_file() { local f; for f in "$@"; do [[ -e $f ]] && { echo "first: $f"; return; }; done; }
select_file missing1 missing2 c.h a.c
source /dev/stdin <<< 'sourced=yes'; echo $sourced
echo 'echo "sourced $1 $BASH_SOURCE"; return 3' > lib.sh; . ./lib.sh arg; echo $?
echo 'echo $0 "$@"; pwd' > cmd; chmod +x cmd; ./cmd 1 2; PATH=$D:$PATH cmd 3; bash cmd 4; (cd d1 && ../cmd 5)
printf '#!/bin/sh\necho sh-bang "$0" "$@"\n' > bang; chmod 755 bang; ./bang a b; "$D/bang" c
printf '#!/usr/bin/env -S bash -e\necho env-bang "$@"; false; echo not here\n' > bang2; chmod 755 bang2; ./bang2 z; echo $?
chmod 644 bang; ./bang; echo "status $?"; printf '#!/no/such/interpreter\n' > bad; chmod +x bad; ./bad; echo "status $?"
./d1; echo "status $?"; ./absent; echo "status $?"
echo scenario complete
