echo one > a; echo two >> a; cat < a
echo three >| a; cat a
set -C; echo four > a; echo "noclobber: $?"; set +C
{ echo out; echo err >&2; } > both 2>&1; cat both
{ echo out; echo err >&2; } &> both2; cat both2
{ echo out2; echo err2 >&2; } &>> both2; cat both2
ls nothing-here 2> error; echo "status $?"; cat error
exec 3<> rw; echo hello >&3; echo again >&3; exec 3>&-; cat rw
exec 3< rw; read -u 3 line; echo "read: $line"; exec 4<&3; read -u 4 line; echo "shared: $line"; exec 3<&- 4<&-
exec 5> five; echo 5 >&5; exec 6>&5 5>&-; echo 6 >&6; exec 6>&-; cat five
exec {free}> free; echo "to $((free >= 10))" >&$free; exec {free}>&-; cat free
printf '0123456789' > digits; exec 3<> digits; read -n 3 -u 3 head; printf XY >&3; exec 3>&-; cat digits; echo
echo to-stdout 3>&1 1>&2 2>&3 | cat
cat > copied < a; cmp a copied && echo equal
cat nothing < a > nothing2; echo "status $?"
> empty; wc -c empty
echo x > no/such/dir; echo "status $?"
echo x > .; echo "status $?"
mkdir sub; echo x > sub; echo "status $?"
: > "name with spaces and 'quotes'"; : > $'new\nline'; : > -dash; : > é
for i in 1 2 3; do echo $i; done > loop; while read n; do echo "n=$n"; done < loop
(umask 077; : > private); stat -c '%n %a' private
bash -c 'ulimit -f 1; head -c 4096 /dev/zero > limited' 2> /dev/null; echo "status $?"; stat -c %s limited
echo scenario complete
