touch -d 2020-01-01 old; touch -d 2021-01-01 new; echo content > full; mkdir dir; ln -s full soft; ln -s missing dangling; ln full hard
chmod u+s full; chmod g+s new; chmod +t dir; chmod 000 old
for op in a b c d e f g h k L p r s S u w x O G; do
  for f in old new full dir soft dangling hard absent . /dev/null; do
    test -$op $f && echo "-$op $f"
  done
done
for pair in 'old -ot new' 'old -nt new' 'new -nt absent' 'full -ef hard' 'soft -ef full' 'old -ef new' 'absent -ef absent'; do
  test $pair; echo "$pair: $?"
done
[[ -v D && -e full && ! -e absent ]] && echo compound
[ -t 0 ]; echo "tty $?"
exec 3> t; [ -e /dev/fd/3 ] && echo dev-fd; echo via > /dev/fd/3; cat t; cat /dev/fd/3 < /dev/null; exec 3>&-
exec 3< t; cat /dev/fd/3; cat <&3; exec 3<&-; cat /proc/self/fd/0 < t; cat /dev/stdin < full; echo two > /dev/stdout
echo scenario complete
