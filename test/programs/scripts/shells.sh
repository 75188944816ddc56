for shell in dash zsh ksh busybox; do
  command -v $shell > /dev/null || continue
  run=$shell; [ $shell = busybox ] && continue
  $run -c 'echo one > a; cat a; echo two >> a; wc -l < a; for f in *; do echo "$f"; done; (cd /; pwd); mkdir -p x/y; cd x/y; pwd; cd ..; pwd; [ -d y ] && echo dir; exec 3> three; echo 3 >&3; cat three; cat <<E
here $((1+1))
E
true && . ./../a 2> /dev/null; umask; : > /absent/x; echo done'
  rm -rf a x
done
command -v zsh > /dev/null && zsh -f -c 'touch b{1,2,3}; mkdir sub; touch sub/f; print -l **/*(.) ; print -l *(/); cat =(echo temporary file); zmodload zsh/stat; zstat +size b1; setopt multios; echo both > m1 > m2; cat m1 m2; ls | while read l; do echo "l $l"; done; cat < b1 < m1; rm -rf b* sub m*'
command -v fish > /dev/null && HOME=$D fish --no-config -c 'echo fish > f; cat f; for x in *; echo $x; end; mkdir d; cd d; pwd; cd ..; test -d d; and echo dir; cat (echo sub | psub); string length (cat f); echo *; rm -r d f' 2>&1
command -v ed > /dev/null && { printf 'a\nfirst\nsecond\n.\nw edited\nq\n' | ed -s; cat edited; printf '1d\nw\nq\n' | ed -s edited; cat edited; }
command -v vim > /dev/null && { seq 5 > v; HOME=$D vim -u NONE -es -c '%s/3/three/' -c 'w' -c 'w! w2' -c q v; cat v w2; HOME=$D vim -u NONE -i NONE -n -es -c 'r !cat v' -c 'w read' -c 'q!' ; wc -l read; ls -A; rm -f v w2 read; }
command -v tclsh > /dev/null && { echo 'set f [open t w]; puts $f hi; close $f; puts [file size t]; puts [lsort [glob *]]; file mkdir q/r; cd q; puts [pwd]; file rename ../t ./u; puts [file exists u]; file copy u v; puts [exec cat v]; cd ..; file delete -force q' > s.tcl; tclsh s.tcl; rm s.tcl; }
command -v m4 > /dev/null && { echo 'define(x, 1)x include(inc)' > m; echo included > inc; m4 m; rm m inc; }
command -v jq > /dev/null && { echo '{"a":[1,2]}' > j; jq -c '.a[]' j; jq . j > j2; cat j2; rm j j2; }
command -v openssl > /dev/null && { openssl genrsa -out key.pem 1024 2> /dev/null; openssl rsa -in key.pem -check -noout; echo data > o; openssl dgst -sha256 o; openssl enc -aes-128-cbc -k p -pbkdf2 -in o -out e; openssl enc -d -aes-128-cbc -k p -pbkdf2 -in e; rm key.pem o e; }
command -v ssh-keygen > /dev/null && { ssh-keygen -q -t ed25519 -N '' -f id; stat -c '%a' id id.pub; ssh-keygen -y -f id | cmp - id.pub > /dev/null; rm id id.pub; }
command -v script > /dev/null && { script -q -c 'echo in a terminal' typescript; wc -l < typescript; rm typescript; }
echo scenario complete
