# One compressor, $TOOL, in all its ways.
case $TOOL in gzip) x=gz ;; bzip2) x=bz2 ;; xz) x=xz ;; zstd) x=zst ;; esac
seq 20000 > n; chmod 640 n; touch -d 2020-01-02T03:04:05.5Z n; cp -p n kept; $TOOL -q n < /dev/null; [ "$TOOL" = zstd ] && rm n; ls; stat -c '%a %Y' n.$x; $TOOL -qt n.$x && echo tested; $TOOL -qd n.$x; [ "$TOOL" = zstd ] && rm n.$x; cmp n kept && stat -c '%a %Y' n
$TOOL -qk -9 n; $TOOL -q n < /dev/null 2>&1 | sed 's/^[^:]*: //' | head -2; ls; $TOOL -qdc n.$x n.$x | md5sum; cat n | $TOOL -qc > piped; $TOOL -qdc < piped | cmp - n && echo piped; head -c 200 n.$x > short.$x; $TOOL -qd short.$x > /dev/null 2>&1; echo "short: $?"; ls
echo text > plain.$x; $TOOL -qd plain.$x > /dev/null 2>&1; echo "plain: $?"; mkdir many; for i in 1 2 3; do seq $i > many/$i; done; $TOOL -qf many/*; ls many; $TOOL -qd absent.$x 2> /dev/null; echo "absent: $?"; ln -s n soft; $TOOL -q soft 2> /dev/null < /dev/null; ls -l soft | cut -c1; $TOOL -qf soft < /dev/null 2> /dev/null; ls; truncate -s 20M sparse; $TOOL -qc -1 sparse > s.$x; rm sparse; $TOOL -qd s.$x; stat -c '%s' s
case $TOOL in xz|zstd) $TOOL -q -T2 -3 -c s > t.$x; $TOOL -qdc t.$x | cmp - s && echo threads ;; esac
tar -c -I $TOOL -f t.tar.$x many; tar -tf t.tar.$x | sort; for w in cat grep; do c=${x%2}; case $TOOL-$w in gzip-cat) zcat t.tar.$x ;; bzip2-cat) bzcat t.tar.$x ;; xz-cat) xzcat t.tar.$x ;; zstd-cat) zstdcat t.tar.$x ;; esac | wc -c; done
rm -rf n* kept many soft* t* s* p* ; ls -A; echo scenario complete
